import { Logger } from '@nestjs/common';
import { FIRST_INVITE_LIVES_S } from './auth/first-boot.js';
import { INVITE_PAGE } from './auth/pages/paths.js';
import type { HubConfig } from './config/hub-config.js';
import { Hub } from './hub.js';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** From the end of the drain to that of the process, whatever hangs; a pod's grace is 15 s more than the drain's deadline. */
const END_WITHIN_MS = 10_000;

const LEFT_OPEN_MS = 1_000;

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
  // Nothing is left to do: what may still be open, such as a connection that nobody answers on, holds the process no longer.
  setTimeout(() => process.exit(), LEFT_OPEN_MS).unref();
  for (const signal of SIGNALS) process.off(signal, onSignal);
}

/** What a person sees who starts the hub by hand. Not through the log: it holds what the first administrator comes in by. */
function greet(hub: Hub): void {
  const told = firstOf(hub);
  if (told === undefined) return;
  const lines = [
    '',
    `  Fairlead listens at ${hub.publicUrl}.`,
    '',
    ...told.map((line) => (line === '' ? '' : `  ${line}`)),
  ];
  process.stdout.write([...lines, '', ''].join('\n'));
}

function firstOf({
  publicUrl,
  administratorInvite: invite,
  administratorToken: token,
}: Hub): string[] | undefined {
  if (token !== undefined) {
    return [
      "This hub is new. Its first administrator's token, shown this once:",
      '',
      `  ${token}`,
      '',
      'Log in with it from another shell:',
      '',
      `  npx fairlead login ${publicUrl} --token ${token}`,
    ];
  }
  if (invite === undefined) return undefined;
  return [
    'This hub has no administrator yet. Whoever opens this link sets the password of its first one, `admin`. It is',
    `shown this once, good once, and for ${FIRST_INVITE_LIVES_S / 3_600} hours:`,
    '',
    `  ${publicUrl}${INVITE_PAGE}#${invite}`,
    '',
    'Or do it from another shell:',
    '',
    `  npx fairlead login ${publicUrl} --invite ${invite}`,
  ];
}
