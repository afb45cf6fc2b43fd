import { describe, expect, it } from '@jest/globals';
import { Depths, PENDING_MOST } from './depths.js';

const COUNTED_AGAIN_AFTER = 1_000;
const NEAR_THE_CAP = 8_000;

/** What is known of the broker `a` after it was counted, and so many were stored by this replica. */
function depths(counted: number, stored: number): Depths {
  const known = new Depths();
  known.took([{ brokerId: 'a', depth: counted, isStored: false }]);
  for (let count = 0; count < stored; count += 1) {
    known.took([{ brokerId: 'a', depth: null, isStored: true }]);
  }
  return known;
}

describe('the commands that wait for a broker', () => {
  it('are 10,000 at most', () => {
    expect(PENDING_MOST).toBe(10_000);
  });

  it('are counted for the first command of each broker, and once a batch', () => {
    expect(new Depths().toCount(['a', 'b', 'a'])).toEqual(['a', 'b']);
    expect(depths(0, 0).toCount(['a', 'b'])).toEqual(['b']);
  });

  it.each([
    [0, COUNTED_AGAIN_AFTER - 1, false],
    [0, COUNTED_AGAIN_AFTER, true],
    [NEAR_THE_CAP - 1, 0, false],
    [NEAR_THE_CAP, 0, true],
    [NEAR_THE_CAP - 2, 1, false],
    [NEAR_THE_CAP - 2, 2, true],
  ])('where %d were counted and %d stored since, are counted: %s', (counted, stored, again) => {
    expect(depths(counted, stored).toCount(['a'])).toEqual(again ? ['a'] : []);
  });

  it('are what was counted and what the same statement stored, and not what it refused', () => {
    const known = new Depths();
    known.took([
      { brokerId: 'a', depth: NEAR_THE_CAP - 2, isStored: true },
      { brokerId: 'a', depth: null, isStored: false },
    ]);
    expect(known.toCount(['a'])).toEqual([]);

    known.took([{ brokerId: 'a', depth: null, isStored: true }]);

    expect(known.toCount(['a'])).toEqual(['a']);
  });

  it('are taken anew from a later count', () => {
    const known = depths(NEAR_THE_CAP, 0);

    known.took([{ brokerId: 'a', depth: 0, isStored: false }]);

    expect(known.toCount(['a'])).toEqual([]);
  });

  it('are remembered of 50,000 brokers, and then of none', () => {
    const known = new Depths();
    const brokers = Array.from({ length: 50_000 }, (_none, index) => `b${index}`);
    known.took(brokers.map((brokerId) => ({ brokerId, depth: 0, isStored: false })));
    expect(known.toCount(brokers)).toEqual([]);

    known.took([{ brokerId: 'last', depth: 0, isStored: false }]);

    expect(known.toCount(['b0', 'last'])).toEqual(['b0']);
  });

  it('are not known of a broker that was never counted', () => {
    const known = new Depths();

    known.took([{ brokerId: 'a', depth: null, isStored: true }]);

    expect(known.toCount(['a'])).toEqual(['a']);
  });
});
