import { setTimeout as rest } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { DataSource, QueryRunner } from 'typeorm';
import type { Pooler } from '../config/environment.js';
import { makeDataSource } from './data-source.js';
import { patiently } from './patience.js';

/** Any constant will do that no other user of the database takes: the bytes of "fair". */
export const MIGRATION_LOCK = 0x66_61_69_72;
const TRY_EVERY_MS = 200;
const TOLD_AFTER_MS = 5_000;

/**
 * Brings the schema up to date. Replicas that start together take turns: one migrates, and the others find
 * nothing left to do. Migrations only ever go up here.
 *
 * @param toldAfterMs whoever looks after the start is told by then what it waits for
 * @returns the names of the migrations that this call ran
 */
export async function migrateWith(dataSource: DataSource, toldAfterMs = TOLD_AFTER_MS): Promise<string[]> {
  const holder = dataSource.createQueryRunner();
  try {
    await holder.connect();
    // Waiting for the other replica's migrations is no fault, however long they take; one statement that waited
    // for them would run into the time within which each must be answered.
    const toldAt = performance.now() + toldAfterMs;
    let isTold = false;
    while (!(await tryLock(holder))) {
      if (!isTold && performance.now() >= toldAt) {
        new Logger('database').warn('waits for the migrations of another process: it holds their lock');
        isTold = true;
      }
      await rest(TRY_EVERY_MS);
    }
    try {
      const ran = await dataSource.runMigrations({ transaction: 'each' });
      return ran.map(({ name }) => name);
    } finally {
      // Where it fails, its session is over, and the lock with it: what ended that is told, and not this.
      await holder.rollbackTransaction().catch(() => undefined);
    }
  } finally {
    await holder.release();
  }
}

/** Without values: those go with a portal, which would keep its snapshot for as long as the transaction lasts. */
const TRY_LOCK = `select pg_try_advisory_xact_lock(${MIGRATION_LOCK}) as mine`;

/**
 * The lock is a transaction's and not a session's, which a pooler might lend to somebody else meanwhile. That
 * transaction does nothing else and keeps no snapshot, so it holds up neither a vacuum nor an index that is made concurrently,
 * however long it is idle.
 */
async function tryLock(holder: QueryRunner): Promise<boolean> {
  await holder.startTransaction();
  await holder.query('set local idle_in_transaction_session_timeout = 0');
  const [row] = (await holder.query(TRY_LOCK)) as { mine: boolean }[];
  if (row?.mine === true) return true;
  await holder.rollbackTransaction();
  return false;
}

/** The same for an address, with a DataSource of its own: the job of `fairlead hub migrate` and of test databases. */
export async function migrate(url: string, pooler: Pooler = 'none'): Promise<string[]> {
  return patiently(async () => {
    const dataSource = await makeDataSource(url, 'fairlead-migrate', [], pooler).initialize();
    try {
      return await migrateWith(dataSource);
    } finally {
      await dataSource.destroy();
    }
  });
}
