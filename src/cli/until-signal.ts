import { setTimeout as rest } from 'node:timers/promises';
import { EXIT } from './exit-code.js';

/**
 * One press of Ctrl-C may come twice: the terminal signals the whole group of processes, and npm, which stands in it, hands on to
 * its child what it got. Nobody who means it presses so soon again, in milliseconds.
 */
const ECHO_WITHIN_MS = 1_000;

/** After the first signal the process ends no sooner, milliseconds: one that is ending takes no signals any more, and dies of the echo. */
const STAYS_MS = 300;

/** Of work that was done before, and whose echo may still come. */
let letGoOfEarlier = (): void => undefined;

/**
 * Works until the first of these signals asks it to end; the second one ends the process where it stands. The same signal again
 * is a second one only a while after the first.
 */
export async function untilSignal(
  names: readonly NodeJS.Signals[],
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  letGoOfEarlier();
  const asked = new AbortController();
  let first: { name: NodeJS.Signals; at: number } | undefined;
  const listeners = names.map((name) => {
    const onSignal = (): void => {
      const now = performance.now();
      if (first === undefined) {
        first = { name, at: now };
        asked.abort();
      } else if (name !== first.name || now - first.at >= ECHO_WITHIN_MS) {
        process.exit(EXIT.failed);
      }
    };
    return [name, onSignal] as const;
  });
  for (const [name, onSignal] of listeners) process.on(name, onSignal);
  const letGo = (): void => {
    for (const [name, onSignal] of listeners) process.off(name, onSignal);
  };
  try {
    await work(asked.signal);
  } finally {
    // The echo may come once all is done, while the process is about to end.
    if (first !== undefined) await rest(Math.max(0, first.at + STAYS_MS - performance.now()));
    const echoMs = first === undefined ? 0 : first.at + ECHO_WITHIN_MS - performance.now();
    if (echoMs > 0) setTimeout(letGo, echoMs).unref();
    else letGo();
    letGoOfEarlier = letGo;
  }
}
