import { describe, expect, it } from '@jest/globals';
import { Group } from './group.js';

describe('a group', () => {
  it('carries together what arrives together, in order', async () => {
    const batches: number[][] = [];
    const group = new Group<number, number>((items) => {
      batches.push(items);
      return Promise.resolve(items.map((item) => item * 2));
    }, 100);

    const outcomes = await Promise.all([1, 2, 3].map((item) => group.add(item)));

    expect(outcomes).toEqual([2, 4, 6]);
    expect(batches).toEqual([[1, 2, 3]]);
  });

  it('has one batch in flight, and never more in it than allowed', async () => {
    let inFlight = 0;
    let most = 0;
    const group = new Group<number, true>(async (items) => {
      inFlight += 1;
      most = Math.max(most, inFlight, items.length);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight -= 1;
      return items.map(() => true as const);
    }, 2);

    await Promise.all([1, 2, 3, 4, 5].map((item) => group.add(item)));

    expect(most).toBe(2);
  });

  it('rejects one item by its own error, and a batch by what was thrown', async () => {
    const group = new Group<string, string>((items) => {
      if (items.includes('all')) throw new Error('the batch failed');
      return Promise.resolve(items.map((item) => (item === 'bad' ? new Error('bad') : item)));
    }, 100);

    const outcomes = await Promise.allSettled([group.add('good'), group.add('bad')]);
    const batch = await Promise.allSettled([group.add('all'), group.add('good')]);

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(batch.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('lets what a batch has begun leave before those who waited for it go on', async () => {
    const order: string[] = [];
    const group = new Group<number, true>((items) => {
      setImmediate(() => order.push('written'));
      return Promise.resolve(items.map(() => true as const));
    }, 100);

    await group.add(1).then(() => order.push('went on'));

    expect(order).toEqual(['written', 'went on']);
  });

  it('is idle only when nothing waits', async () => {
    let carried = 0;
    const group = new Group<number, true>((items) => {
      carried += items.length;
      return Promise.resolve(items.map(() => true as const));
    }, 1);
    const adding = [group.add(1), group.add(2)];

    await group.idle();

    expect(carried).toBe(2);
    await Promise.all(adding);
  });

  it('that rests takes what comes meanwhile with the next, and the first at once', async () => {
    const batches: number[][] = [];
    const group = new Group<number, number>(
      (items) => {
        batches.push(items);
        return Promise.resolve(items);
      },
      3,
      200,
    );

    const begunAt = performance.now();
    await group.add(1);
    const firstMs = performance.now() - begunAt;
    const adding = [group.add(2)];
    await new Promise((resolve) => setTimeout(resolve, 20));
    await Promise.all([...adding, group.add(3)]);

    expect(firstMs).toBeLessThan(150);
    expect(batches).toEqual([[1], [2, 3]]);
  });

  it('does not rest before a batch that is full', async () => {
    const batches: number[][] = [];
    const group = new Group<number, number>(
      (items) => {
        batches.push(items);
        return Promise.resolve(items);
      },
      2,
      60_000,
    );

    await Promise.all([1, 2, 3, 4].map((item) => group.add(item)));

    expect(batches).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  describe('that rests for as long as a batch took', () => {
    const TOOK_MS = 60;

    function slow() {
      const begun: { items: number[]; atMs: number }[] = [];
      const group = new Group<number, number>(
        async (items) => {
          begun.push({ items, atMs: performance.now() });
          await new Promise((resolve) => setTimeout(resolve, TOOK_MS));
          return items;
        },
        100,
        'as_it_took',
      );
      return { group, begun };
    }

    it('does so where more waits already, and takes what comes meanwhile', async () => {
      const { group, begun } = slow();

      const adding = [group.add(1)];
      await new Promise((resolve) => setTimeout(resolve, TOOK_MS / 2));
      adding.push(group.add(2));
      await adding[0];
      adding.push(group.add(3));
      await Promise.all(adding);

      expect(begun.map(({ items }) => items)).toEqual([[1], [2, 3]]);
      // Timers may be some milliseconds early.
      expect((begun[1]?.atMs ?? 0) - (begun[0]?.atMs ?? 0)).toBeGreaterThan(2 * TOOK_MS - 10);
    });

    it('does not where nothing does', async () => {
      const { group, begun } = slow();

      await group.add(1);
      // A batch is told of before the group looks whether to rest.
      await new Promise((resolve) => setImmediate(resolve));

      expect(group.isFree).toBe(true);
      await group.add(2);
      expect(begun.map(({ items }) => items)).toEqual([[1], [2]]);
    });
  });
});
