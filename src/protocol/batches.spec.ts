import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { batches } from './batches.js';
import { LIMITS } from './limits.js';

describe('batches', () => {
  it('hold every item once and in order, and each fits a frame', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 3_000, size: 'max' }), (sizes) => {
        const lists = batches(sizes, (size) => size, 1_000);

        expect(lists.flat()).toEqual(sizes);
        for (const list of lists) {
          expect(list.length).toBeGreaterThan(0);
          expect(list.length).toBeLessThanOrEqual(LIMITS.batch);
          expect(list.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(1_000);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('are as few as the cap on items allows', () => {
    const items = Array.from({ length: LIMITS.batch + 1 }, (_none, index) => index);

    expect(batches(items.slice(1)).map(({ length }) => length)).toEqual([LIMITS.batch]);
    expect(batches(items).map(({ length }) => length)).toEqual([LIMITS.batch, 1]);
  });

  it('are as few as the cap on bytes allows, which leaves room for the rest of the frame', () => {
    const itself = (size: number) => size;
    const most = LIMITS.frameBytes - LIMITS.helloBytes;

    expect(batches([4, 6, 1], itself, 10)).toEqual([[4, 6], [1]]);
    expect(batches([4, 7, 3, 1], itself, 10)).toEqual([[4], [7, 3], [1]]);
    expect(batches([1, most - 1], itself)).toHaveLength(1);
    expect(batches([2, most - 1], itself)).toHaveLength(2);
  });

  it('leave what is too large to itself, and are none of nothing', () => {
    expect(batches([99, 1, 99], (size) => size, 10)).toEqual([[99], [1], [99]]);
    expect(batches([])).toEqual([]);
  });

  it('are one of an item alone, which is not measured', () => {
    const sizeOf = () => {
      throw new Error('it was measured');
    };

    expect(batches(['a'], sizeOf, 0)).toEqual([['a']]);
    expect(() => batches(['a', 'b'], sizeOf, 0)).toThrow('it was measured');
  });

  const corpus = JSON.parse(readFileSync('test/corpus/batches.json', 'utf8')) as {
    what: string;
    sizes: number[];
    bytes: number;
    lists: number[][];
  }[];

  it.each(corpus.map((kept) => [kept.what, kept] as const))(
    'of the corpus are what they were: %s',
    (_what, { sizes, bytes, lists }) => {
      expect(batches(sizes, (size) => size, bytes)).toEqual(lists);
    },
  );
});
