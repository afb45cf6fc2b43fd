import type { DataSource } from 'typeorm';
import { ConfigError } from '../config/config.error.js';
import { messageOf } from '../config/error-code.js';
import { hasSqlState } from './database.errors.js';
import { SESSION_SETTINGS } from './session.js';

const UNDECLARED =
  'leads through a pooler that does not keep the settings of a session: set FAIRLEAD_DATABASE_POOLER=transaction, or ' +
  'DATABASE_DIRECT_URL beside it, or let it name the server itself';

/**
 * A pooler that lends sessions by the transaction loses what a session was told at its beginning. Work would seem to go
 * well through it, until two replicas meet.
 *
 * @throws ConfigError where this is one
 */
export async function assertSettingsKept(dataSource: DataSource): Promise<void> {
  const [session] = await dataSource.query<{ lockTimeout: string }[]>(
    `select current_setting('lock_timeout') as "lockTimeout"`,
  );
  if (session?.lockTimeout !== SESSION_SETTINGS.lock_timeout) throw poolerUndeclared();
}

/** The refusal of a pooler that takes no settings at all (08P01), as what it is. Other errors stay as they are. */
export function asPoolerFault(error: unknown): unknown {
  const isRefusal =
    hasSqlState(error) && error.code === '08P01' && /startup parameter/i.test(messageOf(error));
  return isRefusal ? poolerUndeclared() : error;
}

function poolerUndeclared(): ConfigError {
  return new ConfigError([{ variable: 'DATABASE_URL', rule: UNDECLARED }]);
}
