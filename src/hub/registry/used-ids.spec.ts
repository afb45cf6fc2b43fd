import { describe, expect, it } from '@jest/globals';
import { UsedIds } from './used-ids.js';

describe('ids that were used', () => {
  it('are taken once within their time, and forgotten within twice that', () => {
    let nowMs = 0;
    const used = new UsedIds(1_000, () => nowMs);

    const takenAt = (atMs: number) => {
      nowMs = atMs;
      return used.use('a');
    };

    expect([0, 0, 999, 1_000, 1_999].map(takenAt)).toEqual([true, false, false, false, false]);
    expect(takenAt(2_000)).toBe(true);
  });

  it('are all forgotten after a silence', () => {
    let nowMs = 0;
    const used = new UsedIds(1_000, () => nowMs);
    for (let id = 0; id < 10; id += 1) used.use(String(id));
    expect(used.size).toBe(10);

    nowMs = 2_000;

    expect(used.use('0')).toBe(true);
    expect(used.size).toBe(1);
  });
});
