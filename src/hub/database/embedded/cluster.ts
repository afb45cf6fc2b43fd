import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, type Identity } from './run.js';
import { EmbeddedDatabaseError } from './server.error.js';
import type { Place } from './place.js';

/** The superuser of the embedded database, and the database that the hub lives in. */
export const OWNER = 'fairlead';
export const DATABASE = 'fairlead';

export type InitOptions = {
  programs: string;
  major: number;
  password: string;
  /** Without fsync a crash of the machine may leave an empty cluster; for tests. */
  fsync: boolean;
};

/**
 * Makes the place's database if it has none. initdb works in a directory of its own name, which gets its final
 * name only when initdb is done: whatever kills it, there is a whole database or none. The name is new each time,
 * because an initdb that outlives its starter removes its directory, by name, when it fails. Called under the data
 * directory's lock.
 *
 * @throws EmbeddedDatabaseError `not_initialized`
 */
export async function initialize(place: Place, options: InitOptions): Promise<void> {
  await sweepDrafts(place);
  if (existsSync(place.data)) return;
  const draft = `${place.data}.new-${randomBytes(6).toString('hex')}`;
  await mkdir(draft, { mode: 0o700 });
  try {
    const passwordFile = join(draft, 'password');
    await writeFile(passwordFile, `${options.password}\n`, { mode: 0o600 });
    await giveTo(place.as, draft, passwordFile);
    await initdb(join(draft, 'data'), passwordFile, place.as, options);
    await rename(join(draft, 'data'), place.data);
    if (options.fsync) await syncDirectory(place.home);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function initdb(data: string, passwordFile: string, as: Identity, options: InitOptions): Promise<void> {
  const { code, output } = await run(
    join(options.programs, 'initdb'),
    [
      `--pgdata=${data}`,
      `--username=${OWNER}`,
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      ...locale(options.major),
      ...(options.fsync ? [] : ['--no-sync']),
    ],
    { as, withinMs: 300_000 },
  );
  if (code !== 0) {
    throw new EmbeddedDatabaseError(
      'not_initialized',
      `PostgreSQL could not make its database in ${data}: ${output.slice(-800)}`,
    );
  }
}

/** Order and case by code point, the same on every machine, whatever locales its C library has. */
function locale(major: number): string[] {
  if (major >= 17) return ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  return [process.platform === 'linux' ? '--locale=C.UTF-8' : '--locale=C'];
}

/** Again and again for a moment: the processes of an initdb that was killed end a little later than itself. */
const STILL_WRITTEN_TO = { recursive: true, force: true, maxRetries: 5, retryDelay: 50 };

/** What an initdb left whose starter was killed; it may still be at work there, which does no harm. */
async function sweepDrafts(place: Place): Promise<void> {
  for (const name of await readdir(place.home)) {
    const path = join(place.home, name);
    if (path.startsWith(`${place.data}.new-`)) await rm(path, STILL_WRITTEN_TO).catch(later);
  }
}

function later(): void {
  // Something still writes below; the sweep of the next start finds it.
}

async function giveTo(as: Identity, ...paths: string[]): Promise<void> {
  if (as.uid === undefined || as.gid === undefined) return;
  for (const path of paths) await chown(path, as.uid, as.gid);
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
