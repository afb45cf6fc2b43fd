/**
 * The stored credential: `credentials.json` in Fairlead's folder of this user, readable by its owner alone and
 * replaced in one step, so that a second `login` or a crash never leaves half of one.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { ConfigFault } from '../fault.js';
import { nonEmpty, type Credentials } from './target.js';

/** Fairlead's folder of this user: `FAIRLEAD_HOME`, else `~/.fairlead`. */
export function fairleadHome(env: NodeJS.ProcessEnv): string {
  return nonEmpty(env.FAIRLEAD_HOME) ?? join(nonEmpty(env.HOME) ?? homedir(), '.fairlead');
}

export function credentialsPath(env: NodeJS.ProcessEnv): string {
  return join(fairleadHome(env), 'credentials.json');
}

/**
 * @returns undefined where nobody has logged in
 * @throws ConfigFault where the file is there and cannot be used
 */
export async function loadCredentials(path: string): Promise<Credentials | undefined> {
  const text = await readKept(path, 'log in again: `fairlead login <url>`');
  if (text === undefined) return undefined;
  const credentials = parse(text);
  if (credentials === undefined)
    throw new ConfigFault({ detail: `${path} is damaged.`, remedy: 'Log in again: `fairlead login <url>`.' });
  return credentials;
}

/**
 * What is kept in a file of this user's.
 *
 * @param instead what may be done where the file cannot be made readable
 * @returns undefined where there is none
 * @throws ConfigFault where there is one that cannot be read: nobody knows then that nothing is kept
 */
export async function readKept(path: string, instead: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    const detail = `${path} cannot be read (${codeOf(error) ?? 'unknown'}).`;
    throw new ConfigFault(
      { detail, remedy: `Make it readable for this user, or ${instead}.` },
      { cause: error },
    );
  }
}

/** Whether others on this machine can read the stored token. */
export async function isOpenToOthers(path: string): Promise<boolean> {
  if (process.platform === 'win32') return false;
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && (found.mode & 0o077) !== 0;
}

export async function storeCredentials(path: string, credentials: Credentials): Promise<void> {
  // A folder that is there already is left as it is: it may be shared on purpose, and the file is not.
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const beside = `${path}.${randomUUID()}.part`;
  try {
    const file = await open(beside, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(credentials, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** @returns false where there was nothing to forget */
export async function forgetCredentials(path: string): Promise<boolean> {
  try {
    await rm(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function parse(text: string): Credentials | undefined {
  try {
    const { url, token, tokenId } = JSON.parse(text) as Record<string, unknown>;
    if (typeof url !== 'string' || typeof token !== 'string') return undefined;
    return { url, token, ...(typeof tokenId === 'string' ? { tokenId } : {}) };
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as Record<string, unknown>;
  return typeof code === 'string' ? code : undefined;
}
