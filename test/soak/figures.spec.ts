import { describe, expect, it } from '@jest/globals';
import type { Call } from '../../scripts/soak/record.js';
import { spreadOf, trendOf } from '../../scripts/soak/slope.js';
import type { Struck } from '../../scripts/soak/struck.js';
import { timeline } from '../../scripts/soak/timeline.js';

describe('the figures of a soak', () => {
  it('tell by how much something grows, and how far off that may be', () => {
    const line = [0, 1, 2, 10].map((at): [number, number] => [at, 5 + 2 * at]);
    const saw = Array.from({ length: 40 }, (_none, at): [number, number] => [at, at % 2 === 0 ? 1 : -1]);

    expect(trendOf(line)).toEqual({ slope: 2, error: 0 });
    const { slope, error } = trendOf(saw);
    expect(Math.abs(slope)).toBeLessThan(error);
    // Twice the standard error of the slope of 40 points that are all 1 off.
    expect(error).toBeCloseTo((2 * Math.sqrt(40 / 38)) / Math.sqrt((40 * (40 ** 2 - 1)) / 12), 2);
  });

  it('tell less of samples that resemble those before them', () => {
    const step = (at: number) => (at % 20 < 10 ? 1 : -1);
    const slow = Array.from({ length: 40 }, (_none, at): [number, number] => [at, step(at)]);
    const fast = slow.map(([at]): [number, number] => [at, step(at * 10)]);

    expect(trendOf(slow).error).toBeGreaterThan(2 * trendOf(fast).error);
  });

  it.each([
    ['of one moment', [[3, 8]]],
    ['of two points', [[3, 8], [4, 9]]], // prettier-ignore
    ['of points at one time', [[3, 8], [3, 9], [3, 10]]], // prettier-ignore
  ])('tell nothing %s', (_case, points) => {
    expect(trendOf(points as [number, number][])).toEqual({ slope: 0, error: Infinity });
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
    return {
      idempotencyKey: `note-${place}`,
      dueMs,
      acceptedMs: dueMs + 5 + (place % 50),
      endedMs: null,
      waited: false,
      tries: 1,
      askedMs: null,
    };
  });
  const struck: Struck[] = [
    { number: 0, kind: 'replica_kill', atMs: 5_000, untilMs: 9_000, struck: 'replica-1 <& "others">' },
    { number: 1, kind: 'link_cut', atMs: 50_000, untilMs: 50_000, struck: '3 links' },
    { number: 2, kind: 'peer_cut', atMs: 51_000, untilMs: 52_000, struck: null },
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
