import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits until the check passes, and gives what it returned: neither false, null nor undefined, and nothing thrown.
 * In place of sleeps: a test that waits for a condition is as fast as what it waits for, and fails with a reason.
 *
 * @throws after the deadline: what the check threw last, or that it never became true
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { withinMs = 10_000, everyMs = 20 }: { withinMs?: number; everyMs?: number } = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    let failure: unknown = new Error(`not true within ${withinMs} ms: ${check.toString()}`);
    try {
      const result = await check();
      if (result !== false && result !== null && result !== undefined) {
        return result as NonNullable<Exclude<T, false>>;
      }
    } catch (error) {
      failure = error;
    }
    if (performance.now() > deadline) throw failure;
    await delay(everyMs);
  }
}
