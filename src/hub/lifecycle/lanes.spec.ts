import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.js';
import { Lanes } from './lanes.js';

describe('lanes', () => {
  const make = () => {
    const batches: { items: number[]; answer: () => void }[] = [];
    const lanes = new Lanes<number, number>(
      (items) => new Promise((resolve) => batches.push({ items, answer: () => resolve(items) })),
      100,
      0,
    );
    const batch = (index: number) => eventually(() => batches[index], { everyMs: 1 });
    return { lanes, batches, batch };
  };

  it('carry together what arrives together', async () => {
    const { lanes, batches, batch } = make();
    const adding = [1, 2, 3].map((item) => lanes.add(item));
    (await batch(0)).answer();

    expect(await Promise.all(adding)).toEqual([1, 2, 3]);
    expect(batches.map(({ items }) => items)).toEqual([[1, 2, 3]]);
  });

  it('go on where a batch is stuck, past it as often as need be', async () => {
    const { lanes, batches, batch } = make();
    const stuck = lanes.add(1);
    await batch(0);
    for (const item of [2, 3]) {
      const added = lanes.add(item);
      (await batch(item - 1)).answer();
      expect(await added).toBe(item);
    }
    batches[0]?.answer();

    expect(await stuck).toBe(1);
    expect(batches.map(({ items }) => items)).toEqual([[1], [2], [3]]);
  });
});
