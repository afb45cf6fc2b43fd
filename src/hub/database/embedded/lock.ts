import { mkdir, readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf } from '../../config/error-code.js';
import { holderName, isHolderLive } from './liveness.js';
import { EmbeddedDatabaseError } from './server.error.js';

/**
 * A lock among the processes of one machine that a `kill -9` of its holder frees at once.
 *
 * Node has no flock(2), and a lock file that is taken from a dead holder has a gap: two processes see the same dead
 * holder, the first takes the lock, the second removes the first's. Lamport's bakery (CACM 17:8, 1974) has no such
 * step, since each process writes only its own file: it stands in the directory empty while its process chooses,
 * then holds a number above all that were seen. The lowest number holds the lock; equal numbers go by name. The
 * files of dead processes count for nothing, and whoever sees one removes it: its name is never used again.
 *
 *     absent -> choosing (empty) -> waiting (numbered) -> holding (lowest) -> absent
 *                     \______________________\_________ killed: ignored, removed by others
 */
export type LockOptions = {
  /** Milliseconds to wait for holders that live. */
  withinMs: number;
  /** Told once, when the wait has become long enough to wonder about, who is in front. */
  onWait?: (pid: number) => void;
};

const WONDER_MS = 2_000;

/**
 * Runs the critical part while no other process, and no other caller in this one, is in theirs.
 *
 * @throws EmbeddedDatabaseError `lock_held` where a living process keeps the lock for too long
 */
export async function withLock<T>(
  directory: string,
  options: LockOptions,
  critical: () => Promise<T>,
): Promise<T> {
  await mkdir(directory, { recursive: true });
  const name = await holderName();
  const path = join(directory, name);
  await writeFile(path, '', { flag: 'wx' });
  try {
    const numbers = (await queue(directory)).map(({ number }) => number ?? 0);
    const mine: Place = { name, number: Math.max(0, ...numbers) + 1 };
    await writeFile(path, `${mine.number}\n`);
    await turn(directory, mine, options);
    return await critical();
  } finally {
    await unlink(path).catch(ignoreAbsent);
  }
}

/** A process's place in the queue; without a number, it is still choosing one. */
type Place = { name: string; number: number | null };

async function turn(directory: string, mine: Place, options: LockOptions): Promise<void> {
  const begun = performance.now();
  let told = false;
  for (;;) {
    const ahead = await firstAhead(directory, mine);
    if (ahead === undefined) return;
    const pid = Number(ahead.name.split('-')[0]);
    const waitedMs = performance.now() - begun;
    if (waitedMs > options.withinMs) {
      throw new EmbeddedDatabaseError(
        'lock_held',
        `process ${pid} has been starting or stopping the embedded database for ${options.withinMs / 1000} s ` +
          `and does not come to an end; end it, or set DATABASE_URL`,
      );
    }
    if (!told && waitedMs > WONDER_MS) {
      options.onWait?.(pid);
      told = true;
    }
    await delay(20);
  }
}

async function firstAhead(directory: string, mine: Place): Promise<Place | undefined> {
  for (const other of await queue(directory)) {
    if (other.name === mine.name || !isAhead(other, mine)) continue;
    if (await isHolderLive(other.name)) return other;
    await unlink(join(directory, other.name)).catch(ignoreAbsent);
  }
  return undefined;
}

function isAhead(other: Place, mine: Place): boolean {
  if (other.number === null || mine.number === null) return true;
  return other.number < mine.number || (other.number === mine.number && other.name < mine.name);
}

async function queue(directory: string): Promise<Place[]> {
  const places = await Promise.all(
    (await readdir(directory)).map(async (name): Promise<Place | undefined> => {
      const content = await readFile(join(directory, name), 'utf8').catch(ignoreAbsent);
      if (content === undefined) return undefined;
      // Without its newline a number may be half written: its process is still choosing.
      return { name, number: content.endsWith('\n') ? Number(content) : null };
    }),
  );
  return places.filter((place) => place !== undefined);
}

function ignoreAbsent(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT') return undefined;
  throw error;
}
