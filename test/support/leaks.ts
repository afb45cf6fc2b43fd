import { eventually } from './eventually.js';

/**
 * What a test left behind. Node counts what keeps a process running: sockets, servers, child processes, timers,
 * watchers, workers. After a test there must not be more of any kind than before it; a leak of one test is the
 * next one's flake, and production's slow death.
 *
 *     afterAll(() => expectNoLeaks());                 // against what there was when this file was loaded
 *
 *     let before: Stock;                               // or test by test, where the file shares something
 *     beforeEach(() => (before = takeStock()));
 *     afterEach(() => expectNoLeaks(before));
 *
 * Hooks run in the order in which they are written, so the check comes after those that clean up. What is
 * unreferenced (`unref()`) keeps nothing running and is not seen.
 */
export type Stock = ReadonlyMap<string, number>;

/** Come and go by themselves, and keep coming while Jest reads its own files. */
const PASSING = new Set(['FSReqPromise', 'FSReqCallback', 'CloseReq', 'Immediate', 'TTYWrap']);

/** How much of each kind there is now. */
export function takeStock(): Stock {
  const stock = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (!PASSING.has(kind)) stock.set(kind, (stock.get(kind) ?? 0) + 1);
  }
  return stock;
}

/** Outside of any hook, where the timer is missing by which Jest limits one. */
const atLoad: Stock = withHookTimer(takeStock());

/**
 * Fails where more is open than before, once closing has had a moment to finish.
 *
 * @throws naming each kind and how many there are too many
 */
export async function expectNoLeaks(before: Stock = atLoad, { withinMs = 2_000 } = {}): Promise<void> {
  await eventually(
    () => {
      const left = [...takeStock()].flatMap(([kind, count]) => {
        const more = count - (before.get(kind) ?? 0);
        return more > 0 ? [`${more} ${kind}`] : [];
      });
      if (left.length > 0) throw new Error(`the test left behind: ${left.join(', ')}`);
      return true;
    },
    { withinMs },
  );
}

function withHookTimer(stock: Stock): Stock {
  return new Map(stock).set('Timeout', (stock.get('Timeout') ?? 0) + 1);
}
