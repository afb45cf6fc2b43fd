import { describe, expect, it } from '@jest/globals';
import type { Call } from '../../scripts/soak/record.js';
import { slopeOf, spreadOf } from '../../scripts/soak/slope.js';
import type { Struck } from '../../scripts/soak/soak.js';
import { timeline } from '../../scripts/soak/timeline.js';

describe('the figures of a soak', () => {
  it('tell by how much something grows', () => {
    expect(
      slopeOf([
        [0, 5],
        [1, 7],
        [2, 9],
        [10, 25],
      ]),
    ).toBeCloseTo(2);
    expect(
      slopeOf([
        [0, 1],
        [1, -1],
        [2, 1],
        [3, -1],
        [4, 1],
      ]),
    ).toBeCloseTo(0);
    expect(slopeOf([[3, 8]])).toBe(0);
    expect(
      slopeOf([
        [3, 8],
        [3, 9],
      ]),
    ).toBe(0);
  });

  it('tell ranks that were seen, and nothing between them', () => {
    const values = Array.from({ length: 1_000 }, (_none, place) => 1_000 - place);

    expect(spreadOf(values)).toEqual({ p50: 500, p90: 900, p99: 990, p999: 999, max: 1_000 });
    expect(spreadOf([])).toEqual({ p50: 0, p90: 0, p99: 0, p999: 0, max: 0 });
    expect(spreadOf([4])).toEqual({ p50: 4, p90: 4, p99: 4, p999: 4, max: 4 });
  });
});

describe('the time line of a soak', () => {
  const calls = Array.from({ length: 600 }, (_none, place): Call => {
    const dueMs = place * 100;
    return { dueMs, acceptedMs: dueMs + 5 + (place % 50), endedMs: null, waited: false, tries: 1 };
  });
  const struck: Struck[] = [
    { number: 0, kind: 'replica_kill', atMs: 5_000, untilMs: 9_000, struck: 'replica-1 <& "others">' },
    { number: 1, kind: 'link_cut', atMs: 50_000, untilMs: 50_000, struck: '3 links' },
  ];

  it('is a picture with a mark for each fault, whose texts are escaped', () => {
    const svg = timeline('A <title>', calls, struck, 60_000);

    expect(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"')).toBe(true);
    expect(svg.match(/<title>/g)).toHaveLength(struck.length);
    expect(svg).toContain('A &lt;title&gt;');
    expect(svg).toContain('replica-1 &lt;&amp; &quot;others&quot;&gt;');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('is one even of nothing', () => {
    expect(timeline('nothing', [], [], 0)).not.toMatch(/NaN|Infinity|undefined/);
  });
});
