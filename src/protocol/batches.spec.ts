import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { batches } from './batches.js';
import { LIMITS } from './limits.js';

describe('batches', () => {
  it('hold every item once and in order, and each fits a frame', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 3_000 }), (sizes) => {
        const lists = batches(sizes, (size) => size, 1_000);

        expect(lists.flat()).toEqual(sizes);
        for (const list of lists) {
          expect(list.length).toBeGreaterThan(0);
          expect(list.length).toBeLessThanOrEqual(LIMITS.batch);
          expect(list.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(1_000);
        }
      }),
    );
  });
});
