import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Leavings } from '../../scripts/soak/leavings.js';
import { shrink } from '../../scripts/soak/shrink.js';

const NUMBERS = Array.from({ length: 40 }, (_none, place) => place);

describe('the search for fewer faults', () => {
  it.each([[[3]], [[0, 39]], [[5, 6, 7]], [[2, 17, 31]]])('finds %j among all', async (needed) => {
    const fails = (items: readonly number[]) => Promise.resolve(needed.every((each) => items.includes(each)));

    expect(await shrink(NUMBERS, fails, 1_000)).toEqual(needed);
  });

  it('finds that none is needed, and asks for no others', async () => {
    const asked: number[] = [];
    const fails = (items: readonly number[]) => {
      asked.push(items.length);
      return Promise.resolve(true);
    };

    expect(await shrink(NUMBERS, fails, 1_000)).toEqual([]);
    expect(asked).toEqual([0]);
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

describe('what is left of a search for fewer faults', () => {
  it('is what the least of its runs wrote down, and nothing of the others', () => {
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-leavings-'));
    const leavings = new Leavings();
    const run = (name: string, isLeast: boolean) => {
      const own = join(folder, name);
      mkdirSync(own);
      leavings.sift(own, isLeast);
      return readdirSync(folder);
    };

    const left = [run('one', false), run('two', true), run('three', false), run('four', true)];
    leavings.sift(null, false);

    expect(left).toEqual([[], ['two'], ['two'], ['four']]);
    expect(existsSync(join(folder, 'four'))).toBe(true);
    rmSync(folder, { recursive: true });
  });
});
