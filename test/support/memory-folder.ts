import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Makes a folder on a memory disk, where there is one. For what is synced at every step, so that a test takes as long
 * as what it tests and not as long as the disk of this machine: a process that dies leaves there what it had synced.
 */
export function memoryFolder(prefix: string): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), prefix));
}
