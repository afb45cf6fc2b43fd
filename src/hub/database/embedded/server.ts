import { randomBytes } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../config/error-code.js';
import { secretOnce, secretsDir } from '../../config/secrets.js';
import { findBinaries, runnableBy } from './binaries.js';
import { initialize } from './cluster.js';
import { isServing, urlOf } from './connection.js';
import { RECOVERY_MS, startServer, stopServer, type Settings, type StopMode } from './control.js';
import { withLock, type LockOptions } from './lock.js';
import { findPlace, type Place } from './place.js';
import { postmasterOf } from './postmaster.js';
import { EmbeddedDatabaseError } from './server.error.js';
import { Users } from './users.js';

/**
 * The PostgreSQL that a hub brings with it: one server for each data directory, shared by every process on the
 * machine that asks for it, started by the first and stopped by the last.
 *
 *     absent -> initialized -> starting -> serving -> stopping -> initialized
 *                    ^                        |  kill -9, crash
 *                    \________________________/  the next to ask starts it again
 *
 * What may be relied on: whoever is given a server can connect to it; two processes never start, initialize or stop
 * at once; whatever is killed, at whatever moment, the next to ask gets a whole database with everything committed
 * in it. What may be lost: a server whose users were all killed keeps running, until one that asks later leaves.
 */
export type EmbeddedServer = {
  /** The address of the database `fairlead`, with the password in it: not for logs. */
  readonly url: string;
  readonly port: number;
  /** Whether this call started it, and not some earlier one. */
  readonly started: boolean;
  /** The database's own directory, whose `server.log` is the server's. */
  readonly directory: string;
  /**
   * Gives the server up; the last user stops it, and waits until it has stopped. May be called again, which does
   * nothing more, or tries again what failed.
   *
   * @throws EmbeddedDatabaseError `not_stopped`, `lock_held`
   */
  release(mode?: StopMode): Promise<void>;
};

export type EmbeddedOptions = {
  /** Made where it is missing. */
  dataDir: string;
  /** PostgreSQL's settings, over the defaults; without effect on a server that runs already. */
  settings?: Settings;
  /** Read for PG_BIN_DIR. */
  env?: NodeJS.ProcessEnv;
  /** Told, in whole sentences, what an operator should know; nothing secret. */
  log?: (message: string) => void;
};

const DEFAULTS: Settings = {
  listen_addresses: '127.0.0.1',
  // A socket's path has a short limit, and a data directory's may be long.
  unix_socket_directories: '',
  max_connections: 200,
  shared_buffers: '128MB',
  // Compiling pays off for long analytical queries, of which the hub has none.
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] ',
};

/** Longer than the longest start, so that a start that comes to an end is always waited for. */
const LOCK_MS = RECOVERY_MS + 120_000;

/**
 * Gives the server of a data directory, starting it where none runs, and enters this process as its user.
 *
 * @throws EmbeddedDatabaseError with the reason, and what to do
 */
export async function ensureServer(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const log = options.log ?? (() => undefined);
  const dataDir = writable(options.dataDir);
  const password = passwordOf(dataDir);
  const settings = { ...DEFAULTS, ...options.settings };
  const users = new Users(join(dataDir, 'postgres-users'));
  const lock = join(dataDir, 'postgres-lock');
  const patience: LockOptions = {
    withinMs: LOCK_MS,
    onWait: (pid) => log(`waiting for process ${pid}, which is starting or stopping the embedded database`),
  };

  return withLock(lock, patience, async () => {
    const found = await findBinaries(options.env ?? process.env, dataDir);
    const place = await findPlace(dataDir, found.major, log);
    const { directory: programs, major } = await runnableBy(found, place.as, place.home, log);
    await initialize(place, { programs, major, password, fsync: settings['fsync'] !== 'off' });
    const { port, started } = await serving(place, programs, settings, password);
    const user = await users.enter();

    const leave = (mode: StopMode): Promise<void> =>
      withLock(lock, patience, async () => {
        const { othersLeft } = await users.leave(user);
        if (!othersLeft) await stopServer(place, programs, mode);
      }).catch((error: unknown) => {
        leaving = undefined;
        throw error;
      });
    let leaving: Promise<void> | undefined;
    return {
      url: urlOf(port, password),
      port,
      started,
      directory: place.data,
      release: (mode = 'fast') => (leaving ??= leave(mode)),
    };
  });
}

/** A server that answers: the one that lives, once it has started, or a new one. */
async function serving(
  place: Place,
  programs: string,
  settings: Settings,
  password: string,
): Promise<{ port: number; started: boolean }> {
  const deadline = performance.now() + RECOVERY_MS;
  let started = false;
  while (performance.now() < deadline) {
    const postmaster = await postmasterOf(place.data);
    if (postmaster === null) {
      await startServer(place, programs, settings);
      started = true;
    } else if (await isServing(postmaster.port, password)) {
      return { port: postmaster.port, started };
    } else {
      await delay(50);
    }
  }
  throw new EmbeddedDatabaseError(
    'not_started',
    `the server of ${place.data} runs and does not answer; its log is server.log there`,
  );
}

function writable(dataDir: string): string {
  try {
    mkdirSync(dataDir, { recursive: true });
    return realpathSync(dataDir);
  } catch (error) {
    throw unwritable(dataDir, error);
  }
}

function passwordOf(dataDir: string): string {
  try {
    return secretOnce(secretsDir(dataDir), 'database-password', () => randomBytes(24).toString('base64url'));
  } catch (error) {
    throw unwritable(dataDir, error);
  }
}

function unwritable(dataDir: string, cause: unknown): EmbeddedDatabaseError {
  return new EmbeddedDatabaseError(
    'place_unusable',
    `cannot keep an embedded database in ${dataDir} (${messageOf(cause)}); set FAIRLEAD_DATA_DIR or DATABASE_URL`,
    { cause },
  );
}
