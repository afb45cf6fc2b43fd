import { performance } from 'node:perf_hooks';
import { percentile } from './statistics.mjs';

/**
 * A closed loop: so many commands are always in flight, and each one that ends is followed by the next. Counted are
 * those that end within the measured time; what was begun before it warms the side up, and what ends after it is
 * waited for and left out.
 *
 * @param {(turn: number) => Promise<unknown>} once does one command; resolves when its result is known
 * @param {{ inFlight: number, warmMs?: number, measureMs?: number, commands?: number }} load either a time to
 *   measure, in milliseconds, or a number of commands
 */
export async function drive(once, { inFlight, warmMs = 0, measureMs, commands = Infinity }) {
  const latencies = [];
  const startsAt = performance.now() + warmMs;
  const endsAt = measureMs === undefined ? Infinity : startsAt + measureMs;
  let turn = 0;
  let lastAt = startsAt;
  const slot = async () => {
    while (turn < commands && performance.now() < endsAt) {
      const begunAt = performance.now();
      await once(turn++);
      const endedAt = performance.now();
      if (endedAt < startsAt || endedAt > endsAt) continue;
      latencies.push(endedAt - begunAt);
      lastAt = endedAt;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, slot));
  if (latencies.length === 0) throw new Error('no command ended in the time that was measured');
  const elapsedMs = measureMs ?? lastAt - startsAt;
  return {
    perSecond: (latencies.length / elapsedMs) * 1000,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    commands: latencies.length,
  };
}
