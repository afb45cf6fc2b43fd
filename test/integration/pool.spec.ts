import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { Database } from '../../src/hub/database/database.js';
import { statement } from '../../src/hub/database/statement.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

const SESSION = statement('test_session', 'select pg_backend_pid() as pid, txid_current() as transaction');
const LOCK = statement('test_lock', 'select id from hub_identity for update');
const REST = statement('test_rest', 'select pg_sleep(0.05)');
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

  it('tells how long its slowest statement took, once', async () => {
    const database = new Database(dataSource);

    await Promise.all([database.run(SESSION), database.run(REST)]);

    expect(database.takeSlowestMs()).toBeGreaterThanOrEqual(50);
    expect(database.takeSlowestMs()).toBe(0);
  });
});
