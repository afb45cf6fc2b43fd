/**
 * Requests by chance at every input that asks for no credential, or comes before one is looked at, on both listeners of a
 * hub: whatever is sent, nothing fails, nothing ends, and nothing grows.
 *
 *     node dist/scripts/fuzz.js [--seconds 60 | --cases 2000] [--seed 1]
 *
 * Prints the seed; a case of it is thrown again by the same seed. Exit code 1 where something must not be.
 */
import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { Stage } from './access/stage.js';
import { attack } from './fuzz/attack.js';
import { ORIGIN } from './fuzz/targets.js';
import { withScratchDatabase } from './scratch-server.js';

/** More than a hub needs for what it keeps in mind of strangers. */
const GROWS_MOST_MB = 150;

const { values } = parseArgs({
  options: { seconds: { type: 'string' }, cases: { type: 'string' }, seed: { type: 'string' } },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const seconds = Number(values.seconds ?? (values.cases === undefined ? 60 : 600));
const cases = Number(values.cases ?? Infinity);
if (![seed, seconds].every((number) => Number.isFinite(number) && number >= 0) || Number.isNaN(cases)) {
  process.stderr.write('--seconds, --cases and --seed are numbers\n');
  process.exit(2);
}

await withScratchDatabase(async (url) => {
  // Without limits of callers, which would answer in place of what is to be tried.
  const stage = await Stage.set(url, { FAIRLEAD_RATE_LIMITS: 'off', FAIRLEAD_PUBLIC_URL: ORIGIN });
  try {
    const { public: open, internal = open } = stage.running.ports;
    const beganMb = heapMb();
    const untilMs = performance.now() + seconds * 1_000;
    const { sent, statuses, faults } = await attack({ seed, cases, untilMs, ports: [open, open, internal] });
    const alive = await fetch(`http://127.0.0.1:${open}/readyz`);
    if (!alive.ok) faults.push(`the hub is not ready any more: ${alive.status}`);
    const grownMb = heapMb() - beganMb;
    if (grownMb > GROWS_MOST_MB) faults.push(`the heap grew by ${Math.round(grownMb)} MB`);
    const told = [...statuses].sort().map(([status, count]) => `${status || 'none'}: ${count}`);
    process.stdout.write(
      `seed ${seed}: ${sent} cases; ${told.join(', ')}; heap +${Math.round(grownMb)} MB\n`,
    );
    for (const fault of faults) process.stderr.write(`${fault}\n`);
    if (faults.length > 0) process.exitCode = 1;
  } finally {
    await stage.strike();
  }
});

function heapMb(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 1024 / 1024;
}
