import { Logger } from '@nestjs/common';
import { readConfig } from './config/hub-config.js';
import { DatabaseServer } from './database/server.js';
import { migrate } from './database/migrate.js';
import { drainLocally, type LocalDrain } from './drain/local.js';
import { Hub } from './hub.js';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Runs a hub in this process until it is asked to end: the first signal drains it, a second one ends it at once.
 *
 * @throws ConfigError before anything is started
 */
export async function runHub(env: NodeJS.ProcessEnv): Promise<void> {
  const config = readConfig(env);
  let end: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => (end = resolve));
  let signals = 0;
  const onSignal = () => {
    signals += 1;
    if (signals > 1) process.exit(1);
    end();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const hub = await Hub.start(config, end);
  greet(hub);
  new Logger('hub').log({ replicaId: hub.replicaId, url: hub.publicUrl }, 'the hub is ready');
  await asked;
  await hub.drain();
  await hub.stop();
  for (const signal of SIGNALS) process.off(signal, onSignal);
}

/** Brings the schema up to date, as the job before a deploy. @returns the names of what was run */
export async function migrateHub(env: NodeJS.ProcessEnv): Promise<string[]> {
  const server = new DatabaseServer(readConfig(env));
  await server.open();
  try {
    return await migrate(server.directUrl, server.directPooler);
  } finally {
    await server.close();
  }
}

/** Drains the hub that runs on this machine with this environment, and waits until it has. */
export async function drainLocal(
  env: NodeJS.ProcessEnv,
  options: LocalDrain,
): Promise<'drained' | 'not_running'> {
  return drainLocally(readConfig(env), options);
}

/** What a person sees who starts the hub by hand. Not through the log: it may hold the first administrator's token. */
function greet({ publicUrl, administratorToken }: Hub): void {
  if (administratorToken === undefined) return;
  process.stdout.write(
    [
      '',
      `  Fairlead listens at ${publicUrl}.`,
      '',
      "  This hub is new. Its first administrator's token, shown this once:",
      '',
      `    ${administratorToken}`,
      '',
      '  Log in with it from another shell:',
      '',
      `    npx fairlead login ${publicUrl} --token ${administratorToken}`,
      '',
      '',
    ].join('\n'),
  );
}
