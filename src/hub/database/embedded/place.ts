import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canUse, identityFor } from './identity.js';
import type { Identity } from './run.js';
import { EmbeddedDatabaseError } from './server.error.js';

/** Where the database lives, and who runs it. */
export type Place = {
  /** The directory that holds the database, which `as` can enter. */
  home: string;
  /** The database itself; absent before the first start. Named by major, since no other major can read it. */
  data: string;
  as: Identity;
};

/** Names, in the data directory, the directory that stands in for it. */
const POINTER = 'postgres-at';

/**
 * Finds or chooses the place: the data directory, or, where the unprivileged user that stands in for root cannot
 * enter it (a 0700 home), a directory that it can. Such a choice is written down in the data directory, so that
 * every later start and every other process finds the same database. Called under the data directory's lock.
 *
 * @throws EmbeddedDatabaseError `place_unusable` where a database exists and its user cannot reach it: an empty one
 *   elsewhere would look like lost data
 */
export async function findPlace(
  dataDir: string,
  major: number,
  log: (message: string) => void,
): Promise<Place> {
  const home = writtenDown(dataDir) ?? dataDir;
  const place = await placeIn(home, major);
  if (existsSync(place.data)) {
    if (await canUse(place.data, place.as, 'write')) return place;
    throw new EmbeddedDatabaseError(
      'place_unusable',
      `user ${place.as.uid ?? process.getuid?.()}, who runs the embedded database, cannot reach ${place.data}; ` +
        `let it enter every directory above (chmod o+x), or set DATABASE_URL`,
    );
  }
  await warnOfOtherMajors(home, major, log);
  if (await canUse(home, place.as, 'enter')) return place;
  return elsewhere(dataDir, major, place.as, log);
}

async function placeIn(home: string, major: number): Promise<Place> {
  const data = join(home, `postgres-${major}`);
  return { home, data, as: await identityFor(data) };
}

function writtenDown(dataDir: string): string | undefined {
  const pointer = join(dataDir, POINTER);
  return existsSync(pointer) ? readFileSync(pointer, 'utf8').trim() : undefined;
}

async function elsewhere(
  dataDir: string,
  major: number,
  as: Identity,
  log: (message: string) => void,
): Promise<Place> {
  // Those that outlast a restart of the machine come first.
  for (const base of ['/var/lib', '/var/tmp', tmpdir()]) {
    const home = await mkdtemp(join(base, 'fairlead-')).catch(() => undefined);
    if (home === undefined) continue;
    await chmod(home, 0o711);
    if (await canUse(home, as, 'enter')) {
      await writeFile(join(dataDir, POINTER), `${home}\n`, { flag: 'w' });
      log(`user ${as.uid}, who runs the embedded database, cannot enter ${dataDir}; its data is in ${home}`);
      return { home, data: join(home, `postgres-${major}`), as };
    }
    await rm(home, { recursive: true, force: true });
  }
  throw new EmbeddedDatabaseError(
    'place_unusable',
    `user ${as.uid}, who runs the embedded database, cannot enter ${dataDir}; ` +
      `set FAIRLEAD_DATA_DIR to a directory below which every user may go, or set DATABASE_URL`,
  );
}

/** There is no pg_upgrade in the package: data of another version stays where it is, and must not be missed. */
async function warnOfOtherMajors(home: string, major: number, log: (message: string) => void): Promise<void> {
  const names = await readdir(home).catch(() => []);
  const others = names.filter((name) => /^postgres-\d+$/.test(name));
  if (others.length === 0) return;
  log(
    `starting an empty database for PostgreSQL ${major}; unused beside it in ${home}: ${others.join(', ')}`,
  );
}
