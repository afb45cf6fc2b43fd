import { accessSync, constants, existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { found, type Finding } from './finding.js';

const MIB = 1024 * 1024;
const FULL = { bytes: 256 * MIB, share: 0.02 };
const LOW = { bytes: 1024 * MIB, share: 0.1 };

type Room = { freeBytes: number; totalBytes: number };

/** The room of the file system that a folder is on, or will be once it is made. */
export async function roomOf(folder: string): Promise<Room> {
  const { bavail, blocks, bsize } = await statfs(present(folder));
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/** Little is a matter of both: a tenth of a large disk is much, and so is a gibibyte of a small one. */
export function roomFindings(folder: string, { freeBytes, totalBytes }: Room): Finding[] {
  const share = freeBytes / totalBytes;
  const said = `${folder} has ${Math.floor(freeBytes / MIB)} MiB left, ${(share * 100).toFixed(1)} % of its disk`;
  if (freeBytes < FULL.bytes || (share < FULL.share && freeBytes < 4 * FULL.bytes))
    return [found('disk_full', said)];
  return freeBytes < LOW.bytes || (share < LOW.share && freeBytes < 4 * LOW.bytes)
    ? [found('disk_low', said)]
    : [];
}

export function writableFindings(folder: string): Finding[] {
  try {
    accessSync(present(folder), constants.W_OK | constants.X_OK);
    return [];
  } catch {
    return [found('data_dir_unwritable', `${folder} cannot be written by the user of this process`)];
  }
}

/** The folder itself, or the nearest above it that is there. */
function present(folder: string): string {
  let path = folder;
  while (!existsSync(path) && dirname(path) !== path) path = dirname(path);
  return path;
}
