import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { processOf } from '../../src/hub/database/embedded/liveness.js';

/** Where the tests keep their databases. */
const DATABASES = /\/dev\/shm\/fairlead-[\w.-]+/g;
const PATIENCE_MS = 5_000;

/**
 * Ends the processes that a stage left behind, of whatever session and group: they are known by the stage's folder,
 * which is in the path of their program or in their PATH. PostgreSQL's databases in the memory of the machine go with
 * their servers.
 *
 * @returns how many there were
 */
export async function endStragglers(folder: string): Promise<number> {
  const found = processesOf(folder);
  const databases = new Set(found.flatMap(databasesOf));
  for (const pid of found) {
    // PostgreSQL's signal to end at once, and to give its shared memory back.
    const isServer = (await processOf(pid))?.program === 'postgres';
    signal(pid, isServer ? 'SIGQUIT' : 'SIGKILL');
  }
  const until = performance.now() + PATIENCE_MS;
  while ((await anyLives(found)) && performance.now() < until) await delay(50);
  // Those that do not listen, and those that were made meanwhile.
  for (const pid of [...found, ...processesOf(folder)]) if (await anyLives([pid])) signal(pid, 'SIGKILL');
  for (const database of databases) rmSync(database, { recursive: true, force: true, maxRetries: 5 });
  return found.length;
}

function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid)
    .filter((pid) =>
      ['cmdline', 'environ'].some((file) => read(`/proc/${pid}/${file}`).includes(`${folder}/`)),
    );
}

/** Of a server, where it works; of the programs that make or start one, what they were told. */
function databasesOf(pid: number): string[] {
  return `${workplaceOf(pid)} ${read(`/proc/${pid}/cmdline`)}`.match(DATABASES) ?? [];
}

function workplaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

async function anyLives(pids: readonly number[]): Promise<boolean> {
  const seen = await Promise.all(pids.map(processOf));
  return seen.some((each) => each !== null);
}

/** A process that has ended, or is another user's, has nothing to read. */
function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended in between.
  }
}
