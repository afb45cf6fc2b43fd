import { describe, expect, it } from '@jest/globals';
import { Quotas } from './quotas.js';

const [WEB, APP] = ['web', 'app'];
const stored = (count: number, queued: number | null = null, quota = 100) => ({
  drafts: Array.from({ length: count }, () => ({ projectId: WEB })),
  rows: Array.from({ length: count }, (_, seq) => ({ seq, queued, quota })),
});

describe('the depths of projects that a replica knows of', () => {
  it('are asked for the projects of a batch, each once, and never for commands of none', () => {
    const drafts = [{ projectId: WEB }, { projectId: null }, { projectId: APP }, { projectId: WEB }];

    expect(new Quotas().estimates(drafts)).toEqual({ projectIds: [WEB, APP], known: [null, null] });
    expect(new Quotas().estimates([{ projectId: null }])).toEqual({ projectIds: [], known: [] });
  });

  it('are the last count and what was stored since, until that is a tenth of the quota', () => {
    const quotas = new Quotas();
    const first = stored(3, 20);
    const more = stored(6);

    quotas.took(first.drafts, first.rows);
    const early = quotas.estimates(first.drafts).known;
    quotas.took(more.drafts, more.rows);
    const late = quotas.estimates(first.drafts).known;
    quotas.took([{ projectId: WEB }], [{ seq: 9 }]);

    expect([early, late, quotas.estimates(first.drafts).known]).toEqual([[23], [29], [null]]);
  });

  it('do not count what was refused', () => {
    const quotas = new Quotas();

    quotas.took(
      [{ projectId: WEB }, { projectId: WEB }],
      [{ seq: null, queued: 90, quota: 100 }, { seq: 1 }],
    );

    expect(quotas.estimates([{ projectId: WEB }]).known).toEqual([91]);
  });

  it('stay as they were where a statement counted nothing, and are unknown where none has', () => {
    const quotas = new Quotas();
    quotas.took([{ projectId: WEB }], [{ seq: null, queued: 20, quota: 100 }]);

    quotas.took([{ projectId: WEB }, { projectId: APP }], [{ seq: 1, queued: 5, quota: null }, { seq: 2 }]);

    expect(quotas.estimates([{ projectId: WEB }, { projectId: APP }]).known).toEqual([21, null]);
  });

  it('are forgotten where there are more than are remembered', () => {
    const quotas = new Quotas();
    const drafts = Array.from({ length: 50_001 }, (_, place) => ({ projectId: `p${place}` }));
    const counted = { seq: null, queued: 1, quota: 100 };

    quotas.took(drafts.slice(1), Array<typeof counted>(50_000).fill(counted));
    quotas.took(drafts.slice(0, 1), [counted]);
    expect(quotas.estimates(drafts.slice(0, 2)).known).toEqual([1, 1]);
    quotas.took(drafts.slice(0, 1), [counted]);
    expect(quotas.estimates(drafts.slice(0, 2)).known).toEqual([1, null]);
  });
});
