import type { DataSource } from 'typeorm';
import { makeDataSource } from './data-source.js';

/** Any constant will do that no other user of the database takes: the bytes of "fair". */
const MIGRATION_LOCK = 0x66_61_69_72;

/**
 * Brings the schema up to date. Replicas that start together take turns: one migrates, and the others find
 * nothing left to do. Migrations only ever go up here.
 *
 * @returns the names of the migrations that this call ran
 */
export async function migrateWith(dataSource: DataSource): Promise<string[]> {
  const holder = dataSource.createQueryRunner();
  try {
    await holder.connect();
    // Waiting for the other replica's migrations is no fault, however long they take.
    await holder.query(`set lock_timeout = 0`);
    await holder.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    try {
      const ran = await dataSource.runMigrations({ transaction: 'each' });
      return ran.map(({ name }) => name);
    } finally {
      await holder.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK]);
      await holder.query(`reset lock_timeout`);
    }
  } finally {
    await holder.release();
  }
}

/** The same for an address, with a DataSource of its own: the job of `fairlead hub migrate` and of test databases. */
export async function migrate(url: string): Promise<string[]> {
  const dataSource = await makeDataSource(url, 'fairlead-migrate').initialize();
  try {
    return await migrateWith(dataSource);
  } finally {
    await dataSource.destroy();
  }
}
