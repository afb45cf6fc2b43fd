import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { migrate } from '../../src/hub/database/migrate.js';
import { MIGRATIONS } from '../../src/hub/database/migrations.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { expectNoLeaks } from '../support/leaks.js';

describe('the migrations', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await createDatabase({ migrated: false });
  });

  afterEach(async () => {
    await database.drop();
    await expectNoLeaks();
  });

  it('are run once, by one of the replicas that start together', async () => {
    const ran = await Promise.all([1, 2, 3].map(() => migrate(database.url)));

    expect(ran.map((names) => names.length).sort()).toEqual([0, 0, MIGRATIONS.length]);
  });

  it('are not run again, and nothing goes down by itself', async () => {
    await migrate(database.url);

    expect(await migrate(database.url)).toEqual([]);
  });

  it('leave nothing behind when they are taken back, one by one', async () => {
    await migrate(database.url);
    const dataSource = await makeDataSource(database.url, 'test').initialize();
    for (let count = 0; count < MIGRATIONS.length; count += 1) await dataSource.undoLastMigration();
    await dataSource.destroy();

    const client = new pg.Client(database.url);
    await client.connect();
    const { rows } = await client.query(
      `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
       union all
       select proname from pg_proc where pronamespace = 'public'::regnamespace`,
    );
    await client.end();
    expect(rows.map(({ name }) => name)).toEqual(['schema_migration']);
  });
});
