import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { Database } from '../../src/hub/database/database.js';
import { ANSWER_WITHIN_MS } from '../../src/hub/database/session.js';
import { statement } from '../../src/hub/database/statement.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

const SESSION = statement('test_session', 'select pg_backend_pid() as pid, txid_current() as transaction');
const LOCK = statement('test_lock', 'select id from hub_identity for update');
const REST = statement('test_rest', 'select pg_sleep(0.05)');
const GIVEN = statement(
  'test_given_up',
  `select setting::integer as ms from pg_settings where name = 'statement_timeout'`,
);
const COMMIT = statement('test_commit', `select current_setting('synchronous_commit') as commit`);
const IN_A_MOMENT = statement('test_in_a_moment', `set local statement_timeout = '50ms'`);
const FOR_LONG = statement('test_for_long', 'select pg_sleep(10)');
const TOUCH = statement('test_touch', 'update hub_identity set created_at = now() returning id');

const WRONG = statement('test_wrong', 'select 1 / 0');

const SOON_MS = 3_000;

async function ended(source: DataSource): Promise<DataSource> {
  await source.destroy();
  return source;
}

describe('a connection of the pool', () => {
  let database: TestDatabase;
  let dataSource: DataSource;

  beforeAll(async () => {
    database = await createDatabase();
    dataSource = await makeDataSource(database.url, 'fairlead-test').initialize();
  });

  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  const pool = () => (dataSource.driver as unknown as { master: Pool }).master;

  it('does not take the process with it when the server ends it in the moment in which it is lent', async () => {
    const client = await pool().connect();

    // Nobody but the connection itself listens yet: without a listener this throws out of the socket's callback.
    expect(() => client.emit('error', new Error('terminating connection'))).not.toThrow();

    client.release(true);
    expect(await dataSource.query('select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('has a transaction to itself: what is locked in it is changed on the same one, and by nobody else', async () => {
    const database = new Database(dataSource);

    const sessions = await database.transaction(async (run) => {
      const before = await run(SESSION);
      await run(LOCK);
      await expect(database.run(TOUCH)).rejects.toMatchObject({ code: 'database_unavailable' });
      await run(TOUCH);
      return [before, await run(SESSION)];
    });

    expect(sessions[1]).toEqual(sessions[0]);
  });

  it('has its answer for a moment from now on by any statement that the server said something to', async () => {
    const own = new Database(dataSource);
    const cut = new Database(await makeDataSource(database.url, 'fairlead-test').initialize().then(ended));
    const isAnswered = async (of: Database, work: () => Promise<unknown>) => {
      const again = of.answers.again(SOON_MS);
      await work().catch(() => undefined);
      return again;
    };

    const answered = await Promise.all([
      isAnswered(own, () => own.run(SESSION)),
      isAnswered(own, () => own.run(WRONG)),
      own.transaction(async (run) => {
        await run(LOCK);
        return isAnswered(own, () => own.run(TOUCH));
      }),
      isAnswered(cut, () => cut.run(SESSION)),
    ]);

    expect(answered).toEqual([true, true, true, false]);
  });

  it('has its statements given up by the server a little before its client waits no more, as an outage', async () => {
    const database = new Database(dataSource);

    const [given] = await database.run<{ ms: number }>(GIVEN);
    const inLong = database.transaction(async (run) => {
      await run(IN_A_MOMENT);
      return run(FOR_LONG);
    });

    expect(given?.ms).toBeGreaterThan(ANSWER_WITHIN_MS - 5_000);
    expect(given?.ms).toBeLessThan(ANSWER_WITHIN_MS);
    await expect(inLong).rejects.toMatchObject({ code: 'database_unavailable', statement: 'no_effect' });
  });

  it('waits for the disk with each commit, whatever the database was told', async () => {
    await dataSource.query(
      `do $$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $$`,
    );
    const later = await makeDataSource(database.url, 'fairlead-test').initialize();

    const [own] = await new Database(later).run(COMMIT);
    await later.destroy();

    expect(own).toEqual({ commit: 'on' });
  });

  it('tells how long its slowest statement took, once', async () => {
    const database = new Database(dataSource);

    await Promise.all([database.run(SESSION), database.run(REST)]);

    expect(database.takeSlowestMs()).toBeGreaterThanOrEqual(50);
    expect(database.takeSlowestMs()).toBe(0);
  });
});
