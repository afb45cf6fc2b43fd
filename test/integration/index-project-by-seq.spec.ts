import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { migrateWith } from '../../src/hub/database/migrate.js';
import { MIGRATIONS } from '../../src/hub/database/migrations.js';
import { SESSION_OPTIONS } from '../../src/hub/database/session.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';

const NAME = 'IndexProjectBySeq1790000000035';
const INDEX = 'broker_dispatch_of_project_in_order';
const CREATE = `create index concurrently ${INDEX} on broker_dispatch (project_id, seq) where project_id is not null`;
const LIMIT_MS = 500;

let database: TestDatabase;
let sql: pg.Client;
let others: pg.Client[];
let dataSource: DataSource | undefined;

const plant = (client: pg.Client) =>
  client.query(
    `insert into broker_dispatch
       (id, broker_id, project_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail)
     values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'broker.ping', '{}', 'normal', 'pending', now(),
             gen_random_uuid(), '{}', '{}')`,
  );

async function openClient(): Promise<pg.Client> {
  const client = new pg.Client(database.url);
  await client.connect();
  others.push(client);
  return client;
}

/** A transaction that has written to the table and is not over. */
async function openWriter(): Promise<pg.Client> {
  const writer = await openClient();
  await writer.query('begin');
  await plant(writer);
  return writer;
}

/** Goes up to the migration that is looked at, or the one before. */
async function openSource(isBefore = false): Promise<DataSource> {
  const at = MIGRATIONS.findIndex(({ name }) => name === NAME);
  const source = makeDataSource(database.url, 'test');
  const options = `${SESSION_OPTIONS} -c statement_timeout=${LIMIT_MS}ms -c lock_timeout=${LIMIT_MS}ms`;
  if (!isBefore) Object.assign(source.options.extra as object, { options, query_timeout: LIMIT_MS });
  return source.setOptions({ migrations: MIGRATIONS.slice(0, isBefore ? at : at + 1) }).initialize();
}

/** The indexes of projects that the live commands have, and whether each can be used. */
const indexes = async () =>
  (
    await sql.query(
      `select indexrelid::regclass::text as name, indisvalid as "isValid" from pg_index
       where indrelid = 'broker_dispatch'::regclass and indexrelid::regclass::text like '%_of_project%'`,
    )
  ).rows;

/** Resolves once the session of the migration is at such a query. */
const isAt = (query: string) =>
  eventually(async () => {
    const { rows } = await sql.query(
      `select from pg_stat_activity where datname = current_database() and application_name = 'test' and query ilike $1`,
      [query],
    );
    return rows.length > 0;
  });

const REPLACED = [{ name: INDEX, isValid: true }];

beforeEach(async () => {
  others = [];
  database = await createDatabase({ migrated: false });
  sql = await openClient();
  const source = await openSource(true);
  await source.runMigrations({ transaction: 'each' });
  await source.destroy();
  await plant(sql);
});

afterEach(async () => {
  if (dataSource?.isInitialized === true) await dataSource.destroy();
  for (const client of others) await client.end();
  await database.drop();
  await expectNoLeaks();
});

describe('the index of the live commands of projects', () => {
  it('takes the place of the one before while others write, and longer than any other statement may', async () => {
    const writer = await openWriter();
    dataSource = await openSource();

    const migrating = migrateWith(dataSource);
    await isAt('create index concurrently%');
    await sql.query(`set lock_timeout = '100ms'`);
    const begunAt = performance.now();
    while (performance.now() - begunAt < 2 * LIMIT_MS) await plant(sql);
    await writer.query('commit');

    expect(await migrating).toEqual([NAME]);
    expect(await indexes()).toEqual(REPLACED);
  });

  it('is made anew where it was left half made', async () => {
    const writer = await openWriter();
    const maker = await openClient();
    await maker.query(`set statement_timeout = '100ms'`);
    await expect(maker.query(CREATE)).rejects.toMatchObject({ code: '57014' });
    await writer.query('commit');
    dataSource = await openSource();

    expect(await migrateWith(dataSource)).toEqual([NAME]);

    expect(await indexes()).toEqual(REPLACED);
  });

  it('is waited for where a server is still at it, for somebody who is gone', async () => {
    const writer = await openWriter();
    const maker = await openClient();
    const making = maker.query(CREATE);
    const oid = `select to_regclass('${INDEX}')::oid as oid`;
    const begun = await eventually(async () => (await sql.query(oid)).rows[0]?.oid);
    dataSource = await openSource();

    const migrating = migrateWith(dataSource);
    await isAt('%from pg_locks%');
    await writer.query('commit');

    await making;
    expect(await migrating).toEqual([NAME]);
    expect((await sql.query(oid)).rows[0]?.oid).toBe(begun);
    expect(await indexes()).toEqual(REPLACED);
  });

  it('is gone on with where it was made and the one before was not dropped', async () => {
    await sql.query(CREATE);
    dataSource = await openSource();

    expect(await migrateWith(dataSource)).toEqual([NAME]);

    expect(await indexes()).toEqual(REPLACED);
  });
});
