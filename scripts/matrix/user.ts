import { identityFor } from '../../src/hub/database/embedded/identity.js';
import type { Identity } from '../../src/hub/database/embedded/run.js';
import { EmbeddedDatabaseError } from '../../src/hub/database/embedded/server.error.js';
import type { User } from './cells.js';

/** Who a cell's tests run as, or why there is nobody to run them. */
export type Actor = { as: Identity } | { hindrance: string };

const ABSENT = '/no-database';

/** The kind of user that this process is of. */
export function starterOf(uid = process.getuid?.()): User {
  return uid === 0 ? 'root' : 'ordinary';
}

export async function actorFor(user: User, starter: User): Promise<Actor> {
  if (user === starter) return { as: {} };
  if (user === 'root') return { hindrance: 'root alone can run it' };
  try {
    // The user that a hub of root gives a new database to.
    return { as: await identityFor(ABSENT) };
  } catch (error) {
    if (!(error instanceof EmbeddedDatabaseError)) throw error;
    return { hindrance: 'there is no user postgres, nobody or daemon to run it as' };
  }
}
