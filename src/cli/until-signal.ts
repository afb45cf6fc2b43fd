import { EXIT } from './exit-code.js';

/**
 * One press of Ctrl-C may come twice: the terminal signals the whole group of processes, and npm, which stands in it, hands on to
 * its child what it got. Nobody who means it presses so soon again, in milliseconds.
 */
const ECHO_WITHIN_MS = 1_000;

/**
 * Works until the first of these signals asks it to end; the second one ends the process where it stands. The same signal again
 * is a second one only a while after the first.
 */
export async function untilSignal(
  names: readonly NodeJS.Signals[],
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
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
  try {
    await work(asked.signal);
  } finally {
    // By a signal the process is to end: the echo of that may come until it has.
    if (first === undefined) {
      for (const [name, onSignal] of listeners) process.off(name, onSignal);
    }
  }
}
