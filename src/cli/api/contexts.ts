/**
 * Hubs that this user has logged in to, each under a name: `default` is `credentials.json` in Fairlead's folder, every other a
 * file in `contexts/` beside it. Which one commands talk to stands in the file `context`; FAIRLEAD_CONTEXT goes before it.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigFault, UsageFault } from '../fault.js';
import { credentialsPath, fairleadHome, readKept } from './credentials.js';
import { nonEmpty } from './target.js';

export const DEFAULT_CONTEXT = 'default';
const CHOOSE = 'choose again: `fairlead context use <name>`';
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** @throws UsageFault for what cannot be the name of a context */
export function checkedContext(name: string): string {
  if (!NAME.test(name))
    throw new UsageFault('A context is named by 1 to 63 lower-case letters, digits and inner hyphens.');
  return name;
}

/**
 * Which context commands use: the default one only where none was chosen, for another hub is not to get what was meant for the chosen one.
 *
 * @throws UsageFault, and ConfigFault where it cannot be told which was chosen
 */
export async function currentContext(env: NodeJS.ProcessEnv): Promise<string> {
  const told = nonEmpty(env.FAIRLEAD_CONTEXT);
  if (told !== undefined) return checkedContext(told);
  const path = pointerPath(env);
  const kept = await readKept(path, `remove it and ${CHOOSE}`);
  if (kept === undefined) return DEFAULT_CONTEXT;
  const name = kept.trim();
  if (!NAME.test(name))
    throw new ConfigFault({ detail: `${path} is damaged.`, remedy: `Remove it and ${CHOOSE}.` });
  return name;
}

/** Where the credential of a context is kept. */
export function contextPath(env: NodeJS.ProcessEnv, name: string): string {
  return name === DEFAULT_CONTEXT
    ? credentialsPath(env)
    : join(fairleadHome(env), 'contexts', `${name}.json`);
}

/** Where that of the current context is kept. */
export async function currentPath(env: NodeJS.ProcessEnv): Promise<string> {
  return contextPath(env, await currentContext(env));
}

/** From now on, for every later command of this user. */
export async function useContext(env: NodeJS.ProcessEnv, name: string): Promise<void> {
  if (name === DEFAULT_CONTEXT) {
    await rm(pointerPath(env), { force: true });
    return;
  }
  await mkdir(fairleadHome(env), { recursive: true, mode: 0o700 });
  const beside = `${pointerPath(env)}.${randomUUID()}.part`;
  await writeFile(beside, `${name}\n`, { mode: 0o600 });
  await rename(beside, pointerPath(env));
}

/** The names of those that there may be, in order; `default` first. */
export async function listContexts(env: NodeJS.ProcessEnv): Promise<string[]> {
  const files = await readdir(join(fairleadHome(env), 'contexts')).catch(() => []);
  const names = files
    .flatMap((file) => /^(.+)\.json$/.exec(file)?.[1] ?? [])
    .filter((name) => NAME.test(name));
  return [DEFAULT_CONTEXT, ...names.filter((name) => name !== DEFAULT_CONTEXT).sort()];
}

function pointerPath(env: NodeJS.ProcessEnv): string {
  return join(fairleadHome(env), 'context');
}
