import { beforeAll, it } from '@jest/globals';

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

  return (title, scenario, withinMs) => {
    let running: Promise<void>;
    begin.push(() => {
      running = scenario();
      // A failure waits for its test.
      running.catch(() => undefined);
    });
    it(title, () => running, withinMs);
  };
}
