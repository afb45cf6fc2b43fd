import { describe, expect, it } from '@jest/globals';
import { shrink } from '../../scripts/soak/shrink.js';

const NUMBERS = Array.from({ length: 40 }, (_none, place) => place);

describe('the search for fewer faults', () => {
  it.each([[[3]], [[0, 39]], [[5, 6, 7]], [[2, 17, 31]]])('finds %j among all', async (needed) => {
    const fails = (items: readonly number[]) => Promise.resolve(needed.every((each) => items.includes(each)));

    expect(await shrink(NUMBERS, fails, 1_000)).toEqual(needed);
  });

  it('gives what it had when its tries are used up, and asks no more', async () => {
    let asked = 0;
    const fails = (items: readonly number[]) => {
      asked += 1;
      return Promise.resolve(items.includes(3));
    };

    const least = await shrink(NUMBERS, fails, 3);

    expect(asked).toBe(3);
    expect(least).toContain(3);
    expect(least.length).toBeLessThan(NUMBERS.length);
  });

  it('keeps all where none can be left out', async () => {
    const all = NUMBERS.slice(0, 6);
    const fails = (items: readonly number[]) => Promise.resolve(items.length === all.length);

    expect(await shrink(all, fails, 1_000)).toEqual(all);
  });
});
