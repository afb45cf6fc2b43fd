import { setTimeout as rest } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';
import { makeDataSource } from './data-source.js';

/** Any constant will do that no other user of the database takes: the bytes of "fair". */
const MIGRATION_LOCK = 0x66_61_69_72;
const TRY_EVERY_MS = 200;

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
    // Waiting for the other replica's migrations is no fault, however long they take; one statement that waited
    // for them would run into the time within which each must be answered.
    while (!(await tryLock(holder))) await rest(TRY_EVERY_MS);
    try {
      const ran = await dataSource.runMigrations({ transaction: 'each' });
      return ran.map(({ name }) => name);
    } finally {
      await holder.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    }
  } finally {
    await holder.release();
  }
}

async function tryLock(holder: QueryRunner): Promise<boolean> {
  const [row] = (await holder.query('select pg_try_advisory_lock($1) as mine', [MIGRATION_LOCK])) as {
    mine: boolean;
  }[];
  return row?.mine === true;
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
