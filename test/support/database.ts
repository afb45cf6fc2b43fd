import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** A migrated database that one test file has to itself. */
export type TestDatabase = {
  url: string;
  /** Drops it, and cuts whatever is still connected. */
  drop(): Promise<void>;
};

/**
 * Clones the migrated template that the test run's set-up made.
 *
 * @param options.migrated false for an empty database, as the tests of migrations need it
 * @param options.template a database to copy in its place, which nobody is connected to
 */
export async function createDatabase({
  migrated = true,
  template,
}: { migrated?: boolean; template?: TestDatabase } = {}): Promise<TestDatabase> {
  const admin = setUp('FAIRLEAD_TEST_ADMIN_URL');
  const made = migrated ? setUp('FAIRLEAD_TEST_TEMPLATE') : 'template0';
  const copied = template === undefined ? made : new URL(template.url).pathname.slice(1);
  const name = `t_${randomBytes(8).toString('hex')}`;
  // Copying files is twice as fast here as the default, which writes every page to the log as well.
  await command(admin, `create database ${name} template ${copied} strategy file_copy`);
  const url = new URL(admin);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: () => command(admin, `drop database if exists ${name} with (force)`),
  };
}

function setUp(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run the tests through Jest's configuration`);
  return value;
}

async function command(url: string, sql: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
