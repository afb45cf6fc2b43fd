import { describe, expect, it } from '@jest/globals';
import { Outstanding, type OutRow } from './outstanding.js';

const row = (over: Partial<OutRow> = {}): OutRow => ({
  id: 'a',
  seq: 5,
  op: 'broker.ping',
  lane: 'normal',
  orderingKey: 'k',
  attempt: 1,
  deadlineAt: 100_000,
  cancelRequested: false,
  ...over,
});

function holding(...rows: [OutRow, holdsKey: boolean][]): Outstanding {
  const out = new Outstanding();
  for (const [held, holdsKey] of rows) out.add(held, holdsKey);
  return out;
}

describe('what is out with a broker', () => {
  it('is known by its id and its attempt', () => {
    const out = holding([row(), true], [row({ id: 'b', seq: 3, orderingKey: null }), true]);

    expect([out.size, out.ids, out.lowestSeq]).toEqual([2, ['a', 'b'], 3]);
    expect(out.all).toMatchObject([{ id: 'a' }, { id: 'b' }]);
    expect(() => out.mustEndBy('c', 0)).not.toThrow();
    expect([out.has('a'), out.has('c')]).toEqual([true, false]);
    expect([out.isHeld('a', 1), out.isHeld('a', 2), out.isHeld('c', 1)]).toEqual([true, false, false]);
    expect(new Outstanding().lowestSeq).toBe(Infinity);
  });

  it('holds its key until it is over, or lets go of it', () => {
    const out = holding([row(), true]);
    expect([out.holdsKey('k'), out.holdsKey('other')]).toEqual([true, false]);

    out.freeKey('a');
    expect([out.holdsKey('k'), out.has('a')]).toEqual([false, true]);

    out.add(row(), true);
    out.remove('a');
    expect([out.holdsKey('k'), out.has('a')]).toEqual([false, false]);
  });

  it('lets go of its key where it is told again that it does not hold it', () => {
    const out = holding([row(), true]);

    out.add(row(), false);

    expect(out.holdsKey('k')).toBe(false);
  });

  it('lets go of no key that another holds by now', () => {
    const out = holding([row(), true], [row({ id: 'b' }), true]);

    out.remove('a');
    out.remove('gone');

    expect(out.holdsKey('k')).toBe(true);
  });

  it('has no key where it is ordered with nothing', () => {
    const out = holding([row({ orderingKey: null }), true]);

    out.remove('a');

    expect(out.size).toBe(0);
  });

  it('is to be stopped where its caller gave it up, once in 5 s', () => {
    const out = holding([row(), true], [row({ id: 'b' }), true]);
    expect([out.toStop(0), out.isGivenUp('a'), out.isGivenUp('gone')]).toEqual([[], false, false]);

    out.cancelRequested('a');
    out.cancelRequested('gone');

    expect([out.isGivenUp('a'), out.isGivenUp('b'), out.size]).toEqual([true, false, 2]);
    expect(out.toStop(0).map(({ id }) => id)).toEqual(['a']);
    expect(out.toStop(4_999)).toEqual([]);
    expect(out.toStop(5_000).map(({ id }) => id)).toEqual(['a']);
  });

  it('is to be stopped from its deadline on', () => {
    const out = holding([row({ deadlineAt: 10 }), true]);

    expect(out.toStop(9)).toEqual([]);
    expect(out.toStop(10)).toMatchObject([{ id: 'a', attempt: 1 }]);
  });

  it('is not asked about sooner for being read again', () => {
    const out = holding([row({ cancelRequested: true }), true]);
    out.toStop(0);

    out.add(row({ cancelRequested: true, attempt: 2 }), true);

    expect(out.toStop(4_999)).toEqual([]);
    expect(out.toStop(5_000)).toMatchObject([{ id: 'a', attempt: 2 }]);
  });
});
