import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { createDatabase, type TestDatabase } from './database.js';
import { expectNoLeaks } from './leaks.js';

describe('a test database', () => {
  const made: TestDatabase[] = [];

  const create = async (options?: { migrated: boolean }): Promise<TestDatabase> => {
    const database = await createDatabase(options);
    made.push(database);
    return database;
  };

  const withClient = async <T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client(url);
    await client.connect();
    return use(client).finally(() => client.end());
  };

  const count = (url: string, sql: string): Promise<number> =>
    withClient(url, async (client) => (await client.query<{ n: number }>(sql)).rows[0]?.n ?? -1);

  afterEach(async () => {
    for (const database of made.splice(0)) await database.drop();
  });

  it('is migrated, and empty where it is asked for', async () => {
    const [migrated, empty] = [await create(), await create({ migrated: false })];
    const tables = `select count(*)::int as n from pg_tables where schemaname = 'public'`;

    expect(await count(migrated.url, 'select count(*)::int as n from schema_migration')).toBeGreaterThan(0);
    expect(await count(empty.url, tables)).toBe(0);
  });

  it('is one that no other test sees', async () => {
    const [one, other] = await Promise.all([create(), create()]);
    await withClient(one.url, (client) => client.query('create table mine ()'));

    const seen = await count(other.url, `select count(*)::int as n from pg_tables where tablename = 'mine'`);

    expect(seen).toBe(0);
  });

  it('is dropped though somebody is still connected', async () => {
    const database = await create();
    const client = new pg.Client(database.url);
    const cut = new Promise<Error>((resolve) => client.on('error', resolve));
    await client.connect();

    await database.drop();

    expect((await cut).message).toContain('terminating connection');
    await client.end();
    await expect(withClient(database.url, (other) => other.query('select'))).rejects.toThrow(
      'does not exist',
    );
  });

  afterAll(() => expectNoLeaks());
});
