import { describe, expect, it } from '@jest/globals';
import { Spaced } from './spaced.js';

const INTERVAL_MS = 40;

describe('a spaced act', () => {
  it('begins at once after a quiet time, and then at most once an interval', async () => {
    const begunAtMs: number[] = [];
    const spaced = new Spaced(() => {
      begunAtMs.push(performance.now());
      return Promise.resolve();
    }, INTERVAL_MS);
    let hasWaited = false;
    const waited = setImmediate(() => (hasWaited = true));

    await spaced.turn();
    const hadWaited = hasWaited;
    for (let turn = 1; turn < 3; turn += 1) await spaced.turn();

    const [first = 0, second = 0, third = 0] = begunAtMs;
    clearImmediate(waited);
    expect(hadWaited).toBe(false);
    expect(second - first).toBeGreaterThanOrEqual(INTERVAL_MS - 2);
    expect(third - second).toBeGreaterThanOrEqual(INTERVAL_MS - 2);
  });

  it('gives a flood of callers one turn together', async () => {
    let turns = 0;
    const spaced = new Spaced(() => Promise.resolve(void (turns += 1)), INTERVAL_MS);
    await spaced.turn();

    await Promise.all(Array.from({ length: 1_000 }, () => spaced.turn()));

    expect(turns).toBe(2);
  });

  it('gives whoever asks during a turn the next one, since this one may have read too early', async () => {
    let turns = 0;
    let end: () => void = () => undefined;
    const spaced = new Spaced(() => {
      turns += 1;
      return turns > 1 ? Promise.resolve() : new Promise<void>((resolve) => (end = resolve));
    }, 0);
    const first = spaced.turn();
    await Promise.resolve().then(() => undefined);

    const second = spaced.turn();
    end();
    await Promise.all([first, second]);

    expect(turns).toBe(2);
  });

  it('tells those who wait for a turn that fails, and goes on', async () => {
    let turns = 0;
    const spaced = new Spaced(() => {
      turns += 1;
      return turns === 1 ? Promise.reject(new Error('away')) : Promise.resolve();
    }, 0);

    await expect(spaced.turn()).rejects.toThrow('away');
    await expect(spaced.turn()).resolves.toBeUndefined();
  });
});
