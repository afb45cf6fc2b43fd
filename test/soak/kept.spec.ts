import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { argumentsOfKept, KEPT_SEEDS } from '../../scripts/soak/kept-seeds.js';
import { readOptions } from '../../scripts/soak/options.js';
import { FAULT_KINDS, LANES, scheduleOf, type Fault, type Lane } from '../../scripts/soak/schedule.js';

const run = promisify(execFile);
/** Without the numbers, which lanes share. */
const ofLane = (faults: readonly Fault[], lane: Lane) =>
  faults.filter(({ kind }) => FAULT_KINDS[kind].lane === lane).map(({ number: _number, ...fault }) => fault);
const KEPT = 'dist/scripts/soak/kept.js';

describe('the seeds that are kept', () => {
  it.each(KEPT_SEEDS.map((kept) => [kept.seed, kept] as const))('can be soaked again: %i', (_seed, kept) => {
    const options = readOptions(argumentsOfKept(kept), () => {
      throw new Error('nothing of it is left to chance');
    });
    const { seed, minutes, rate, bulk, calm, mix, only } = kept;
    const numbers = scheduleOf(seed, minutes * 60_000, calm).map(({ number }) => number);

    expect(options).toMatchObject({ seed, minutes, rate, bulk, calm, mix, only });
    expect(numbers.length).toBeGreaterThan(0);
    for (const number of only ?? []) expect(numbers).toContain(number);
    expect(kept.found).not.toBe('');
    expect(new Date(kept.mended).toISOString().slice(0, 10)).toBe(kept.mended);
  });

  it.each(KEPT_SEEDS.map((kept) => [kept.seed, kept] as const))(
    'have the first faults of a longer run in a shorter one: %i',
    (_seed, { seed, minutes, calm }) => {
      const short = scheduleOf(seed, minutes * 60_000, calm);
      const long = scheduleOf(seed, 30 * 60_000, calm);

      for (const lane of LANES) {
        const [own, all] = [ofLane(short, lane), ofLane(long, lane)];
        expect(all.slice(0, own.length)).toEqual(own);
      }
      // From where a lane of the shorter one is over, numbers of the other lanes with which it shares them may differ.
      const whole = new Set(short.map(({ kind, atMs }) => `${kind} at ${atMs}`));
      const endsAtMs = long.find(({ kind, atMs }) => !whole.has(`${kind} at ${atMs}`))?.atMs ?? Infinity;
      const sure = short.filter(({ atMs }) => atMs < endsAtMs);
      expect(sure.length).toBeGreaterThan(0);
      expect(long.slice(0, sure.length)).toEqual(sure);
    },
  );

  it('are listed with what was found under each', async () => {
    const { stdout } = await run(process.execPath, [KEPT, '--list']);

    for (const { seed, found } of KEPT_SEEDS) {
      expect(stdout).toContain(`--seed ${seed} `);
      expect(stdout).toContain(found);
    }
  });

  it('are soaked alone where one is asked for', async () => {
    const { stdout } = await run(process.execPath, [KEPT, '203', '--list']);

    expect(stdout).toContain('--seed 203');
    expect(stdout).not.toContain('--seed 7 ');
  });

  it('are no others than those', async () => {
    await expect(run(process.execPath, [KEPT, '8'])).rejects.toMatchObject({ code: 2 });
  });
});
