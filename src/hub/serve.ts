import { Logger } from '@nestjs/common';
import { FIRST_INVITE_LIVES_S } from './auth/first-boot.js';
import { INVITE_PAGE } from './auth/pages/paths.js';
import type { HubConfig } from './config/hub-config.js';
import { Hub } from './hub.js';

/** From the end of the drain, or of a start that is broken off, to that of the process, whatever hangs; a pod's grace is 15 s more than the drain's deadline. */
const END_WITHIN_MS = 10_000;

const LEFT_OPEN_MS = 1_000;

/** Serves until the signal, or a drain from outside, has ended it: it is drained first, once it serves. */
export async function serve(config: HubConfig, signal: AbortSignal): Promise<void> {
  const log = new Logger('hub');
  let end: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => (end = resolve));
  signal.addEventListener('abort', end);
  const hub = await started(config, end, signal);
  if (hub !== undefined) {
    greet(hub);
    const { ports, replicaId, publicUrl } = hub;
    log.log({ port: ports.public, replicaId, url: publicUrl }, 'the hub is ready');
    await asked;
    await hub.drain();
    const late = setTimeout(() => {
      log.error('the shutdown hangs: the process ends without the rest of it');
      process.exit(1);
    }, END_WITHIN_MS);
    await hub.stop();
    clearTimeout(late);
  }
  // Nothing is left to do: what may still be open, such as a connection that nobody answers on, holds the process no longer.
  setTimeout(() => process.exit(), LEFT_OPEN_MS).unref();
}

/** @returns undefined where the signal came before the replica was one that serves: it has nothing to hand over */
async function started(config: HubConfig, end: () => void, signal: AbortSignal): Promise<Hub | undefined> {
  const log = new Logger('hub');
  let late: NodeJS.Timeout | undefined;
  const hurry = () => {
    late = setTimeout(() => {
      log.warn('the start could not be broken off in time: the process ends under it');
      process.exit(0);
    }, END_WITHIN_MS);
  };
  signal.addEventListener('abort', hurry);
  try {
    return await Hub.start(config, end, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    log.log('the hub was asked to end before it served');
    return undefined;
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', hurry);
  }
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
