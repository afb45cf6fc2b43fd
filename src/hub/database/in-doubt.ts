import { setTimeout as rest } from 'node:timers/promises';
import type { Database, Run } from './database.js';
import { DatabaseUnavailable } from './database.errors.js';
import { makeDurable } from './durable.js';

const LOOK_UP_FOR_MS = 5_000;
const LOOK_UP_EVERY_MS = 250;

/**
 * A transaction whose outcome can be looked up. Where the connection breaks under its commit, only the rows can say whether
 * it happened. It is never done again; and that the rows are not there says nothing, since the server may still be at it.
 *
 * @param isThere whether what the work left is on record
 * @param unknown what is thrown where it is not within 5 s
 * @throws as Database.transaction: then nothing was changed
 */
export async function transactionInDoubt<T>(
  database: Database,
  work: (run: Run) => Promise<T>,
  isThere: (outcome: T) => Promise<boolean>,
  unknown: (outcome: T, cause: DatabaseUnavailable) => Error,
): Promise<T> {
  let done: { outcome: T } | undefined;
  try {
    return await database.transaction(async (run) => {
      done = undefined;
      const outcome = await work(run);
      done = { outcome };
      return outcome;
    });
  } catch (error) {
    if (done === undefined || !(error instanceof DatabaseUnavailable) || error.statement === 'no_effect')
      throw error;
    const { outcome } = done;
    if (await isFoundInDoubt(database.run, () => isThere(outcome))) return outcome;
    throw unknown(outcome, error);
  }
}

/** Asks again and again, for 5 s, whether something is on record, and durable, whose commit is in doubt. */
export async function isFoundInDoubt(run: Run, isThere: () => Promise<boolean>): Promise<boolean> {
  const giveUpAt = performance.now() + LOOK_UP_FOR_MS;
  while (performance.now() < giveUpAt) {
    try {
      if (await isThere()) {
        await makeDurable(run);
        return true;
      }
    } catch (error) {
      // Whatever is wrong, it is not that nothing was stored.
      if (!(error instanceof DatabaseUnavailable)) return false;
    }
    await rest(LOOK_UP_EVERY_MS);
  }
  return false;
}
