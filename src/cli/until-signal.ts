import { EXIT } from './exit-code.js';

/** Works until the first of these signals asks it to end; the second one ends the process where it stands. */
export async function untilSignal(
  names: readonly NodeJS.Signals[],
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const asked = new AbortController();
  const onSignal = (): void => {
    if (asked.signal.aborted) process.exit(EXIT.failed);
    asked.abort();
  };
  for (const name of names) process.on(name, onSignal);
  try {
    await work(asked.signal);
  } finally {
    for (const name of names) process.off(name, onSignal);
  }
}
