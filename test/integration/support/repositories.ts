import pg from 'pg';
import { makeDataSource } from '../../../src/hub/database/data-source.js';
import { Database } from '../../../src/hub/database/database.js';
import { createDatabase } from '../../support/database.js';
import { Rows } from './rows.js';

/** A database with nothing but repositories on it: no replica acts of itself. */
export type Bench = { database: Database; url: string; rows: Rows; close(): Promise<void> };

export async function openBench(): Promise<Bench> {
  const made = await createDatabase();
  const source = await makeDataSource(made.url, 'fences').initialize();
  const sql = new pg.Client(made.url);
  await sql.connect();
  return {
    database: new Database(source),
    url: made.url,
    rows: new Rows(sql),
    close: async () => {
      await source.destroy();
      await sql.end();
      await made.drop();
    },
  };
}
