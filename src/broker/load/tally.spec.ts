import { describe, expect, it } from '@jest/globals';
import { Tally } from './tally.js';

describe('the tally of a load', () => {
  let now = 0;
  const tally = (count: number): Tally => new Tally(count, () => now);

  it('tells when all were linked, and how long links took', () => {
    now = 100;
    const told = tally(2);
    told.linkedOne(5);
    now = 350;
    told.linkedOne(20);

    expect(told.summary()).toMatchObject({ linked: 2, allLinkedMs: 250, linkMs: { p50: 5, p99: 20 } });
  });

  it('takes no loss for a storm before all were linked', () => {
    const told = tally(2);
    told.linkedOne(1);
    told.lostOne();

    expect(told.summary()).toMatchObject({ linked: 0, allLinkedMs: null, storms: [] });
  });

  it('tells of a storm how many lost their link, and how long it was until all had one again', () => {
    const told = tally(3);
    for (let broker = 0; broker < 3; broker += 1) told.linkedOne(1);
    now = 1_000;
    told.lostOne();
    told.lostOne();
    now = 1_500;
    told.linkedOne(1);
    told.lostOne();
    told.linkedOne(1);
    expect(told.hasWeathered).toBe(false);
    now = 1_800;
    told.linkedOne(1);

    expect(told.hasWeathered).toBe(true);
    expect(told.summary().storms).toEqual([{ lost: 2, relinkedMs: 800 }]);
  });

  it('tells of a storm that is not over', () => {
    const told = tally(1);
    told.linkedOne(1);
    told.lostOne();

    expect(told.summary().storms).toEqual([{ lost: 1, relinkedMs: null }]);
  });

  it('tells the most frequent troubles first, and not all of them', () => {
    const told = tally(1);
    for (const trouble of ['a', 'b', 'c', 'd', 'e', 'f', 'f']) told.met(trouble);

    expect(told.summary().troubles).toHaveLength(5);
    expect(told.summary().troubles[0]).toEqual({ trouble: 'f', times: 2 });
  });

  it('has no figures of nothing', () => {
    expect(tally(1).summary().linkMs).toEqual({ p50: null, p99: null });
  });
});
