import { Logger } from '@nestjs/common';
import type { HubConfig } from './config/hub-config.js';
import { Hub } from './hub.js';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** From the end of the drain to that of the process, whatever hangs; a pod's grace is 15 s more than the drain's deadline. */
const END_WITHIN_MS = 10_000;

/** Serves until a signal or a drain from outside has ended it: the first signal drains it, a second one ends it at once. */
export async function serve(config: HubConfig): Promise<void> {
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
  const { ports, replicaId, publicUrl } = hub;
  new Logger('hub').log({ port: ports.public, replicaId, url: publicUrl }, 'the hub is ready');
  await asked;
  await hub.drain();
  const late = setTimeout(() => {
    new Logger('hub').error('the shutdown hangs: the process ends without the rest of it');
    process.exit(1);
  }, END_WITHIN_MS);
  await hub.stop();
  clearTimeout(late);
  for (const signal of SIGNALS) process.off(signal, onSignal);
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
