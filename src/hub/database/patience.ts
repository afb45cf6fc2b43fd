import { setTimeout as rest } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { ConfigError } from '../config/config.error.js';
import { messageOf } from '../config/error-code.js';
import { CodedError } from '../problems/coded.error.js';
import { DatabaseUnavailable, hasSqlState, isOutage } from './database.errors.js';

/** A hub and its database are often started together: what must be there first is waited for this long, in milliseconds. */
const AT_BOOT_MS = 30_000;
const EVERY_MS = 500;

/**
 * Does the first work of a boot again while the server is away, starts, or takes no more connections.
 *
 * @throws DatabaseUnavailable where it stays away; what is no outage comes out at once, as it is
 */
export async function patiently<T>(work: () => Promise<T>, withinMs = AT_BOOT_MS): Promise<T> {
  const lastTryAt = performance.now() + withinMs;
  let isTold = false;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const outage = outageOf(error);
      if (outage === undefined) throw error;
      if (performance.now() > lastTryAt) throw outage;
      if (!isTold) new Logger('database').warn(`waits for the database: ${messageOf(outage.cause)}`);
      isTold = true;
      await rest(EVERY_MS);
    }
  }
}

function outageOf(error: unknown): DatabaseUnavailable | undefined {
  if (error instanceof DatabaseUnavailable) return error;
  // What has a name of its own is known to be something else.
  if (error instanceof CodedError || error instanceof ConfigError) return undefined;
  // A pooler that refuses how it is spoken to stays as it is.
  const isRefusal = hasSqlState(error) && error.code === '08P01';
  return isOutage(error) && !isRefusal ? new DatabaseUnavailable(error, 'no_effect') : undefined;
}
