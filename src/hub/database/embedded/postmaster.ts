import { readFile, readlink, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../config/error-code.js';
import { processOf } from './liveness.js';

/** The server process of a database. */
export type Postmaster = { pid: number; port: number };

const LOCK_FILE = 'postmaster.pid';

/** Larger than any pid a system gives out, so that a signal to it always finds nobody. */
const NOBODY = 2_147_483_647;

/**
 * The living server of this database, which may still be starting or already stopping, or null. The server's own
 * lock file says who it is; its lines are pid, data directory, start time, port and more. The file outlives a
 * `kill -9`, and its pid may by now be another program's.
 */
export async function postmasterOf(data: string): Promise<Postmaster | null> {
  const lines = (await lockFile(data))?.split('\n');
  if (lines === undefined) return null;
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  // The file of a server that is just starting has not all its lines yet.
  return Number.isInteger(pid) && pid > 0 && (await serves(pid, data)) ? { pid, port } : null;
}

/**
 * Makes the lock file of a dead server name nobody. PostgreSQL judges by `kill(pid, 0)` and so takes a zombie, or a
 * stranger that got the pid, for a running server. The rest of the file stays: by it the next server sees whether
 * processes of the dead one still hold its shared memory, and refuses to start beside them.
 */
export async function disown(data: string): Promise<void> {
  const content = await lockFile(data);
  if (content === undefined) return;
  await writeFile(join(data, LOCK_FILE), content.replace(/^\d+/, String(NOBODY)), { flag: 'r+' });
}

async function serves(pid: number, data: string): Promise<boolean> {
  const seen = await processOf(pid);
  if (seen === null) return false;
  if (seen.program !== null && seen.program !== 'postgres' && seen.program !== 'postmaster') return false;
  // A server works in its data directory. Where the system does not tell, the benefit of the doubt is the safe side.
  const directory = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  return directory === undefined || directory === (await realpath(data));
}

async function lockFile(data: string): Promise<string | undefined> {
  try {
    return await readFile(join(data, LOCK_FILE), 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
