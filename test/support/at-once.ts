import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, it } from '@jest/globals';

/** As long as Jest gives a test: counted from the beginning of all, else each one that hangs would have it for itself. */
const WITHIN_MS = 120_000;

/**
 * Gives an `it` whose tests are begun together, so that those which wait for time to pass take as long as the longest
 * of them. Each is judged by itself; it has what it shares with the others from hooks of `beforeAll` written before.
 *
 *     const it = atOnce();
 *     it('waits for one thing', async () => { ... });
 *     it('waits for another', async () => { ... });
 */
export function atOnce(): (title: string, scenario: () => Promise<void>, withinMs?: number) => void {
  const begin: (() => void)[] = [];

  beforeAll(() => {
    for (const scenario of begin) scenario();
  });

  return (title, scenario, withinMs = WITHIN_MS) => {
    let running: Promise<void>;
    begin.push(() => {
      running = Promise.race([scenario(), over(withinMs)]);
      // A failure waits for its test.
      running.catch(() => undefined);
    });
    it(title, () => running, withinMs);
  };
}

async function over(ms: number): Promise<never> {
  await delay(ms, undefined, { ref: false });
  throw new Error(`not over ${ms} ms after all of them were begun`);
}
