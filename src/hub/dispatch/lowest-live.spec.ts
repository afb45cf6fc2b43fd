import { describe, expect, it } from '@jest/globals';
import { LowestLive } from './lowest-live.js';

const SECOND = 1_000;

/** A count of one project, and what it found. */
function counting(lowest: LowestLive, now: number, { found = Infinity, last = 0 } = {}, projectId = 'web') {
  const asked = lowest.asked([projectId], now);
  const to = Math.min(found, asked.settled);
  lowest.took(asked, new Map([[projectId, to]]), last, now);
  return asked;
}

describe('the lowest live command of a project', () => {
  it('is not known at first: it is counted from the beginning', () => {
    expect(new LowestLive().asked(['web', 'app'], 0)).toMatchObject({ from: [0, 0], settled: 0 });
  });

  it('rises to what a count saw, and no further than what was given out ten seconds before that', () => {
    const lowest = new LowestLive();
    counting(lowest, 0, { found: 90, last: 100 });

    counting(lowest, 10 * SECOND, { found: 95, last: 200 });
    const early = lowest.of('web');
    counting(lowest, 10 * SECOND + 1, { found: 95, last: 200 });
    const risen = lowest.of('web');
    counting(lowest, 21 * SECOND, { last: 300 });

    expect([early, risen, lowest.of('web')]).toEqual([0, 95, 200]);
  });

  it('stays where it is while it lives, and where nothing was counted', () => {
    const lowest = new LowestLive();
    counting(lowest, 0, { last: 100 });
    counting(lowest, 11 * SECOND, { found: 40, last: 200 });

    for (const now of [22, 33, 44]) counting(lowest, now * SECOND, { found: 40, last: 300 });
    lowest.took(lowest.asked(['web'], 55 * SECOND), new Map(), 400, 55 * SECOND);

    expect([lowest.of('web'), lowest.of('app')]).toEqual([40, 0]);
  });

  it('falls to one that became visible late, also while somebody counts from above it', () => {
    const lowest = new LowestLive();
    counting(lowest, 0, { last: 100 });
    counting(lowest, 11 * SECOND, { last: 100 });
    const asked = lowest.asked(['web'], 22 * SECOND);

    lowest.fell('web', 7);
    lowest.took(asked, new Map([['web', 100]]), 100, 22 * SECOND);
    const fallen = lowest.of('web');
    lowest.fell('web', 8);

    expect([asked.from, fallen, lowest.of('web')]).toEqual([[100], 7, 7]);
    expect(lowest.all()).toEqual([{ projectId: 'web', from: 7 }]);
  });

  it('is forgotten where numbers are given out that were settled already', () => {
    const lowest = new LowestLive();
    counting(lowest, 0, { last: 100 });
    counting(lowest, 11 * SECOND, { last: 100 });

    counting(lowest, 12 * SECOND, { last: 99 });

    expect(lowest.asked(['web'], 12 * SECOND)).toMatchObject({ from: [0], settled: 0 });
  });

  it('is forgotten where there are more projects than are remembered', () => {
    const lowest = new LowestLive();
    const projectIds = Array.from({ length: 50_001 }, (_none, place) => `p${place}`);
    counting(lowest, 0, { last: 100 });
    const asked = lowest.asked(projectIds, 11 * SECOND);

    lowest.took(asked, new Map(projectIds.map((id) => [id, 100])), 100, 11 * SECOND);
    const remembered = lowest.of('p50000');
    counting(lowest, 12 * SECOND, { last: 100 });

    expect([remembered, lowest.of('p50000'), lowest.of('web')]).toEqual([100, 0, 100]);
  });
});
