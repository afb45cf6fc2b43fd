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
});
