import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

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
});
