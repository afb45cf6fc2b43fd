/**
 * What the command line starts. Each loads its own part of the hub, and what the environment says is read first of all,
 * so that a rule that is broken is told at once.
 */
import { readConfig } from './config/hub-config.js';
import type { Forgotten } from './dispatch/history.js';
import type { Copied } from './copying/copy.js';
import type { Diagnosis } from './doctor/finding.js';
import type { LocalDrain } from './drain/local.js';

/**
 * Runs a hub in this process until the signal asks it to end, which drains it.
 *
 * @throws ConfigError before anything is started
 */
export async function runHub(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> {
  const config = readConfig(env);
  const { serve } = await import('./serve.js');
  await serve(config, signal);
}

/** Reads what the environment says as a start would, and starts nothing. */
export function checkHub(env: NodeJS.ProcessEnv): void {
  readConfig(env);
}

/** Brings the schema up to date, as the job before a deploy. @returns the names of what was run */
export async function migrateHub(env: NodeJS.ProcessEnv): Promise<string[]> {
  const config = readConfig(env, 'job');
  const [{ DatabaseServer }, { migrate }] = await Promise.all([
    import('./database/server.js'),
    import('./database/migrate.js'),
    tellOnStderr(),
  ]);
  const server = new DatabaseServer(config);
  await server.open();
  try {
    return await migrate(server.directUrl, server.directPooler);
  } finally {
    await server.close();
  }
}

/** Forgets history that is older than it is kept, as a job of an installation whose replicas do not. */
export async function forgetOld(env: NodeJS.ProcessEnv): Promise<Forgotten> {
  const config = readConfig(env, 'job');
  const [{ DatabaseServer }, { forgetHistory }] = await Promise.all([
    import('./database/server.js'),
    import('./dispatch/forget.js'),
    tellOnStderr(),
  ]);
  const server = new DatabaseServer(config);
  await server.open();
  try {
    return await forgetHistory(server.directUrl, server.directPooler, config.history.days);
  } finally {
    await server.close();
  }
}

/** Drains the hub that runs on this machine with this environment, and waits until it has. */
export async function drainLocal(
  env: NodeJS.ProcessEnv,
  options: LocalDrain,
): Promise<'drained' | 'not_running'> {
  const config = readConfig(env);
  const { drainLocally } = await import('./drain/local.js');
  return drainLocally(config, options);
}

/** Looks for what is wrong with the installation that this environment describes. It never mends. */
export async function examineHub(env: NodeJS.ProcessEnv): Promise<Diagnosis> {
  const [{ examine }, { ENTITIES }] = await Promise.all([
    import('./doctor/doctor.js'),
    import('./entities.js'),
    tellOnStderr(),
  ]);
  return examine(env, ENTITIES);
}

/**
 * Copies a hub's database into an empty one. Without `from` it is the embedded one of the data directory.
 *
 * @throws CopyFault where it is refused, or the copy is not what its source is
 */
export async function copyHub(
  env: NodeJS.ProcessEnv,
  { from, ...rest }: { from: string | undefined; to: string; onProgress: (line: string) => void },
): Promise<Copied> {
  const config = readConfig(env, 'job');
  const [{ DatabaseServer }, { copyDatabase }] = await Promise.all([
    import('./database/server.js'),
    import('./copying/copy.js'),
    tellOnStderr(),
  ]);
  const database = { url: from ?? null, directUrl: null, pooler: 'none' } as const;
  const server = new DatabaseServer({ ...config, database });
  await server.open();
  try {
    return await copyDatabase({ ...rest, from: server.url });
  } finally {
    await server.close();
  }
}

/** What a job prints is its outcome, for people or as JSON; what it says meanwhile goes beside it. */
async function tellOnStderr(): Promise<void> {
  const { Logger } = await import('@nestjs/common');
  const tell = (line: unknown) => void process.stderr.write(`${String(line)}\n`);
  Logger.overrideLogger({ log: tell, warn: tell, error: tell });
}
