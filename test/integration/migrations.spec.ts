import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { migrate, migrateWith, MIGRATION_LOCK } from '../../src/hub/database/migrate.js';
import { MIGRATIONS } from '../../src/hub/database/migrations.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
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

  it('say that they wait for those of another process, once, and then find nothing left to do', async () => {
    await migrate(database.url);
    const told = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const other = new pg.Client(database.url);
    await other.connect();
    await other.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const dataSource = await makeDataSource(database.url, 'test').initialize();

    const waiting = migrateWith(dataSource, 0);
    await eventually(() => told.mock.calls.length > 0);
    await other.query('select pg_sleep(0.5), pg_advisory_unlock($1)', [MIGRATION_LOCK]);

    expect(await waiting).toEqual([]);
    expect(told.mock.calls).toEqual([[expect.stringContaining('waits for the migrations')]]);
    told.mockRestore();
    await Promise.all([other.end(), dataSource.destroy()]);
  });

  it('are held up for half a minute by a process whose machine is gone, whose sessions the server looks after', async () => {
    const dataSource = await makeDataSource(database.url, 'test').initialize();

    const settings = await dataSource.query(
      `select name, setting from pg_settings where name like 'tcp_keepalives%' order by name`,
    );

    expect(settings).toEqual([
      { name: 'tcp_keepalives_count', setting: '3' },
      { name: 'tcp_keepalives_idle', setting: '10' },
      { name: 'tcp_keepalives_interval', setting: '5' },
    ]);
    await dataSource.destroy();
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
