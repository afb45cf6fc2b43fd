import { describe, expect, it } from '@jest/globals';
import { Dice } from '../../scripts/fuzz/dice.js';
import { titleOf } from '../../scripts/soak/report.js';
import type { Promised } from '../../scripts/soak/soak.js';
import { growthOf, type Growth } from '../../scripts/soak/growth.js';
import type { Call } from '../../scripts/soak/record.js';
import { riseOf, spreadOf, studentsT, surest, trendOf, type Point } from '../../scripts/soak/slope.js';
import type { Struck } from '../../scripts/soak/struck.js';
import { timeline } from '../../scripts/soak/timeline.js';

/** Samples of which each is mostly what the one before was (an autoregressive process of the first order), and that grow by nothing. */
function wandering(dice: Dice, count: number): Point[] {
  const normal = () => Math.sqrt(-2 * Math.log(1 - dice.next())) * Math.cos(2 * Math.PI * dice.next());
  let value = normal() / Math.sqrt(1 - 0.93 ** 2);
  return Array.from({ length: count }, (_none, at): Point => {
    value = 0.93 * value + normal();
    return [at, value];
  });
}

describe('the figures of a soak', () => {
  it('tell by how much something grows, and how far off that may be', () => {
    const line = [0, 1, 2, 10].map((at): [number, number] => [at, 5 + 2 * at]);
    const saw = Array.from({ length: 40 }, (_none, at): [number, number] => [at, at % 2 === 0 ? 1 : -1]);

    expect(trendOf(line)).toEqual({ slope: 2, error: 0 });
    const { slope, error } = trendOf(saw);
    expect(Math.abs(slope)).toBeLessThan(error ?? 0);
    // By t the standard error of the slope of 40 points that are all 1 off.
    expect(error).toBeCloseTo((2.0244 * Math.sqrt(40 / 38)) / Math.sqrt((40 * (40 ** 2 - 1)) / 12), 4);
    expect(trendOf(saw, 3).error).toBeCloseTo(((error ?? 0) * 2.505) / 2.0244, 2);
  });

  it('tell less of samples that resemble those before them', () => {
    const step = (at: number) => (at % 8 < 4 ? 1 : -1);
    const slow = Array.from({ length: 40 }, (_none, at): [number, number] => [at, step(at)]);
    const fast = slow.map(([at]): [number, number] => [at, step(at * 4)]);

    expect(trendOf(slow).error).toBeGreaterThan(2 * (trendOf(fast).error ?? 0));
  });

  it.each([
    ['of one moment', [[3, 8]]],
    ['of two points', [[3, 8], [4, 9]]], // prettier-ignore
    ['of points at one time', [[3, 8], [3, 9], [3, 10]]], // prettier-ignore
  ])('tell nothing %s', (_case, points) => {
    expect(trendOf(points as [number, number][])).toEqual({ slope: 0, error: null });
  });

  it.each([
    [3, 3.182],
    [4, 2.776],
    [5, 2.571],
    [7, 2.365],
    [10, 2.228],
    [30, 2.042],
    [120, 1.98],
  ])('know of Student what tables know of %d degrees of freedom', (freedom, t) => {
    expect(studentsT(freedom)).toBeGreaterThan(t - 0.004);
    expect(studentsT(freedom)).toBeLessThan(t + 0.001);
  });

  it('find growth by chance in no more than a tenth of series that do not grow, and resemble themselves', () => {
    const found = Array.from({ length: 1_000 }, (_none, seed) => trendOf(wandering(new Dice(seed), 180)));

    const grown = found.filter(({ slope, error }) => error !== null && Math.abs(slope) > error);
    expect(grown.length).toBeLessThan(100);
    expect(grown.length).toBeGreaterThan(25);
  });

  it('find that one of three grows by chance in few of those that do not grow, and resemble themselves', () => {
    const found = Array.from({ length: 1_000 }, (_none, seed) => {
      const dice = new Dice(seed);
      return surest([1, 2, 3].map(() => trendOf(wandering(dice, 180), 3)));
    });

    const grown = found.filter((worst) => worst?.error != null && worst.slope > worst.error);
    expect(grown.length).toBeLessThan(75);
    expect(grown.length).toBeGreaterThan(5);
  });

  it('tell a rise of whatever shape, and none of what comes and goes', () => {
    const points = (valueAt: (at: number) => number) =>
      Array.from({ length: 30 }, (_none, at): Point => [at, valueAt(at)]);

    expect(riseOf(points((at) => 5 + 3 * at))).toBeCloseTo((3 * 11) / 20, 4);
    expect(riseOf(points((at) => (at < 15 ? 0 : 40)))).toBe(2);
    expect(riseOf(points((at) => at % 7))).toBeLessThan(0);
    expect(riseOf(points(() => 4))).toBe(0);
    expect(riseOf([[1, 1], [2, 9]])).toBe(-Infinity); // prettier-ignore
  });

  it('tell of several the one that grows for certain, and not one that is steeper and known less well', () => {
    const [steep, sure, unknown] = [
      { slope: 9, error: 8 },
      { slope: 3, error: 0.5 },
      { slope: 20, error: null },
    ];

    expect(surest([steep, sure, unknown])).toBe(sure);
    expect(surest([unknown])).toBe(unknown);
    expect(surest([])).toBeUndefined();
  });

  it('tell ranks that were seen, and nothing between them', () => {
    const values = Array.from({ length: 1_000 }, (_none, place) => 1_000 - place);

    expect(spreadOf(values)).toEqual({ p50: 500, p90: 900, p99: 990, p999: 999, max: 1_000 });
    expect(spreadOf([])).toEqual({ p50: 0, p90: 0, p99: 0, p999: 0, max: 0 });
    expect(spreadOf([4])).toEqual({ p50: 4, p90: 4, p99: 4, p999: 4, max: 4 });
  });
});

describe('the growth in a soak', () => {
  /** Of so many minutes, one sample each five seconds. */
  const seen = (minutes: number, valueAt: (at: number) => number, from = 0): Point[] =>
    Array.from({ length: (minutes - from) * 12 }, (_none, place): Point => {
      const at = from + place / 12;
      return [at, valueAt(at)];
    });
  const saw = (at: number) => (Math.round(at * 12) % 2 === 0 ? 1 : -1);
  const growth = (memory: Record<string, Point[]>, until = 30): Growth => {
    const live = seen(until, () => 5);
    const tables = new Map([['broker_dispatch', { rows: live, dead: live, bytes: live }]]);
    const [kept, files] = [new Map(Object.entries(memory)), new Map<string, Point[]>()];
    return growthOf(
      { kept, compiled: files, memory: kept, files, live, databaseBytes: live, tables },
      0,
      until,
    );
  };

  it('is that of the replica that grows for certain, beside one that lived for less and is steeper by chance', () => {
    const {
      replicaKeptMiBPerMin: worst,
      sure,
      replicas,
    } = growth({
      'replica-1': seen(30, (at) => 200 + 2 * at + saw(at)),
      'replica-2': seen(30, (at) => 200 + 5 * at + 100 * saw(at), 21),
    });

    expect(worst?.slope).toBeCloseTo(2, 1);
    expect(sure).toEqual({
      replicaKeptMiBPerMin: expect.closeTo(2, 1),
      replicaMemoryMiBPerMin: expect.closeTo(2, 1),
      replicaSocketsPerMin: null,
    });
    expect(replicas).toEqual([
      expect.objectContaining({
        name: 'replica-1',
        keptMiB: { slope: expect.closeTo(2, 1), error: expect.any(Number) },
      }),
      expect.objectContaining({
        name: 'replica-2',
        forMin: expect.closeTo(9, 0),
        files: { slope: 0, error: null },
      }),
    ]);
  });

  it('is held against no replica that was seen for less than ten minutes, and told all the same', () => {
    const { replicaMemoryMiBPerMin: worst, sure } = growth({ 'replica-1': seen(18, (at) => 9 * at) }, 18);

    expect(worst).toEqual({ slope: 9, error: 0 });
    expect(sure.replicaMemoryMiBPerMin).toBeNull();
  });

  it('is not looked for once no more commands are given', () => {
    const full = seen(30, (at) => 200 + 2 * at);

    const { replicaMemoryMiBPerMin: worst } = growth({
      'replica-1': [...full, ...seen(36, () => 150, 31)],
    });

    expect(worst).toEqual({ slope: 2, error: 0 });
  });

  it('is for certain along a curve, of which a straight line tells nothing', () => {
    const found = growth({ 'replica-1': seen(30, (at) => at ** 3) });

    expect(found.replicaKeptMiBPerMin?.error).toBeNull();
    expect(found.sure.replicaKeptMiBPerMin).toBeGreaterThan(100);
  });

  it('is null where nothing was seen, and no number that JSON does not know', () => {
    const found = growth({ 'replica-1': seen(30, (at) => at ** 3), 'replica-2': seen(16, () => 3, 15.5) });

    expect(growth({}).sure.replicaKeptMiBPerMin).toBeNull();
    expect(JSON.parse(JSON.stringify(found))).toEqual(found);
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

describe('the title of a report', () => {
  const kept: Promised = { judged: 1, unjudged: 0, maxMs: 5_000, never: 0, withinMs: 6_000, isKept: true };
  const late: Promised = { ...kept, maxMs: 7_000, isKept: false };
  const found = { deathsNoticed: kept, listenHealed: kept, silencesNoticed: kept, failures: [], ok: true };

  it.each([
    ['all promises kept', found],
    ['clean, and late with a LISTEN', { ...found, listenHealed: late }],
    ['clean, and late with a death, a lost link', { ...found, deathsNoticed: late, silencesNoticed: late }],
    ['NOT CLEAN (lost)', { ...found, ok: false, failures: ['lost' as const], deathsNoticed: late }],
  ])('is: %s', (title, outcome) => {
    expect(titleOf(outcome)).toBe(title);
  });
});
