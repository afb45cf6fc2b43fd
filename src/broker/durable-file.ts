/**
 * Small files that survive a crash whole or not at all: written beside their place, synced, put in place in
 * one step, and the folder synced, so that a reader never sees half of one.
 */
import { link, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { v7 } from 'uuid';

/** Ends the name of what is not in its place yet. */
const UNFINISHED = '.part';

/** Replaces the file's content. Modes default to the owner alone, as such files may hold secrets. */
export async function writeDurably(path: string, content: string, mode = 0o600): Promise<void> {
  const beside = await writeBeside(path, content, mode);
  try {
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/**
 * Puts the file there if none is: of any number of processes at once exactly one succeeds.
 *
 * @returns false where the file was there already, whose content is left alone
 */
export async function claimDurably(path: string, content: string, mode = 0o600): Promise<boolean> {
  const beside = await writeBeside(path, content, mode);
  try {
    await link(beside, path);
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  } finally {
    await rm(beside, { force: true });
  }
  await syncFolder(dirname(path));
  return true;
}

/**
 * The JSON in a file that this program wrote itself.
 *
 * @returns undefined where there is no such file
 */
export async function readJsonFile<T>(path: string): Promise<T | undefined> {
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
  return JSON.parse(content) as T;
}

/** Not by class: an embedder may run the broker in a realm of its own, as Jest does. */
export function isErrno(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}

async function writeBeside(path: string, content: string, mode: number): Promise<string> {
  const beside = `${path}.${v7()}${UNFINISHED}`;
  const file = await open(beside, 'wx', mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  return beside;
}

/** Removes what writers that were killed have left beside the file. Only where nobody writes it meanwhile. */
export async function removeUnfinished(path: string): Promise<void> {
  const folder = dirname(path);
  const start = `${basename(path)}.`;
  for (const name of await readdir(folder)) {
    if (name.startsWith(start) && name.endsWith(UNFINISHED)) await rm(join(folder, name), { force: true });
  }
}

/** Makes what was put into a folder, or renamed in it, survive a crash of the machine. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
