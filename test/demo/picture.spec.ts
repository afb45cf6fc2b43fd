import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { boxOf, overlap, type Label } from '../../scripts/demo/picture/label.js';
import { layOut } from '../../scripts/demo/picture/layout.js';
import { Scale } from '../../scripts/demo/picture/scale.js';
import type { Drawing } from '../../scripts/demo/picture/sheet.js';
import { svgOf } from '../../scripts/demo/picture/svg.js';
import type { Timeline, TimelineStep } from '../../scripts/demo/timeline.js';

const BEGIN = Date.parse('2026-01-01T00:00:00Z');
const at = (ms: number): string => new Date(BEGIN + ms).toISOString();

type Pace = { before: number; work: number; away: number; lag: number };

/** A run of the demo, in which everything takes as long as it is told to. */
function runAt({ before, work, away, lag }: Pace): Timeline {
  const trail = (from: number, waits: number, by: string): TimelineStep[] => [
    { state: 'pending', at: at(from), replica: 'A', attempt: null },
    { state: 'claimed', at: at(from + waits), replica: by, attempt: 1 },
    { state: 'running', at: at(from + waits + lag), replica: by, attempt: 1 },
    { state: 'succeeded', at: at(from + waits + lag + work), replica: by, attempt: 1 },
  ];
  const killed = before + 2 * lag + work + before;
  const restarted = killed + away + 2 * lag + work;
  return {
    replicas: [
      { name: 'A', readyAt: at(-5000), killedAt: null },
      { name: 'B', readyAt: at(-2000), killedAt: at(killed) },
    ],
    ownership: [
      { replica: 'B', epoch: 1, since: at(0) },
      { replica: 'A', epoch: 2, since: at(killed + away) },
    ],
    runs: [{ seenAt: at(before + 2 * lag + work) }, { seenAt: at(restarted) }],
    dispatches: [
      { id: '1', op: 'agent.start', trail: trail(before, lag, 'B') },
      { id: '2', op: 'agent.restart', trail: trail(killed, away + lag, 'A') },
      { id: '3', op: 'agent.delete', trail: trail(restarted + 1, lag, 'A') },
    ],
  };
}

const TYPICAL = runAt({ before: 100, work: 200, away: 900, lag: 30 });

const paces = fc.record({
  before: fc.integer({ min: 5, max: 5_000 }),
  work: fc.integer({ min: 1, max: 5_000 }),
  away: fc.integer({ min: 50, max: 20_000 }),
  lag: fc.integer({ min: 1, max: 500 }),
});

function collisions({ labels }: Drawing): string[] {
  return labels.flatMap((one, index) =>
    labels
      .slice(index + 1)
      .filter((other) => overlap(boxOf(one), boxOf(other)))
      .map((other) => `${one.text} / ${other.text}`),
  );
}

describe('the picture of a run', () => {
  it('has no label over another, however long everything took', () => {
    fc.assert(
      fc.property(paces, (pace) => {
        expect(collisions(layOut(runAt(pace)))).toEqual([]);
      }),
    );
  });

  it('has every label within its edges', () => {
    fc.assert(
      fc.property(paces, (pace) => {
        const { labels, width, height } = layOut(runAt(pace));
        const outside = labels.filter((label) => {
          const { left, right, top, bottom } = boxOf(label);
          return left < 0 || right > width || top < 0 || bottom > height;
        });
        expect(outside).toEqual([]);
      }),
    );
  });

  it('has no words on the line of the kill, but those on the bars of what outlives it', () => {
    fc.assert(
      fc.property(paces, (pace) => {
        const { labels, lines } = layOut(runAt(pace));
        const kill = lines.find(({ kind }) => kind === 'kill')!;
        const crossed = labels.filter((label) => {
          const { left, right, top, bottom } = boxOf(label);
          return left < kill.x1 && kill.x1 < right && top < kill.y2 && kill.y1 < bottom;
        });
        expect(crossed.filter(({ tone }) => tone !== 'on-bar')).toEqual([]);
      }),
    );
  });

  it('goes from left to right as time goes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_999 }), fc.integer({ min: 1, max: 10_000 }), (one, more) => {
        const scale = new Scale({ from: 0, to: 20_000 }, { from: 100, to: 900 });

        expect(scale.place(one + more)).toBeGreaterThanOrEqual(scale.place(one));
        expect([scale.place(0), scale.place(20_000)]).toEqual([100, 900]);
      }),
    );
  });

  it('shows each state for as long as it lasted', () => {
    const { bars, lines } = layOut(TYPICAL);
    const killX = lines.find(({ kind }) => kind === 'kill')!.x1;

    const waiting = bars.filter(({ kind }) => kind === 'pending')[1]!;
    const working = bars.filter(({ kind }) => kind === 'running')[1]!;

    expect(waiting.x).toBe(killX);
    expect(waiting.width / working.width).toBeCloseTo(930 / 200, 0);
    expect(waiting.x + waiting.width).toBeLessThan(working.x);
  });

  it('ends the replica and its connection at the kill, and begins the next epoch where it began', () => {
    const { bars, lines } = layOut(TYPICAL);
    const killX = lines.find(({ kind }) => kind === 'kill')!.x1;
    const ends = bars.filter(({ kind }) => kind === 'replica-b').map(({ x, width }) => x + width);
    const [, next] = bars.filter(({ kind }) => kind === 'replica-a');

    expect(ends).toEqual([expect.closeTo(killX, 1), expect.closeTo(killX, 1)]);
    expect(next!.x).toBeGreaterThan(killX);
  });

  it('tells who claimed what, and how long it took', () => {
    const { labels, description } = layOut(TYPICAL);
    const texts = labels.map(({ text }: Label) => text);

    expect(texts).toContain('accepted by A, claimed by B, 260 ms');
    expect(texts).toContain('accepted by A, claimed by A, 1160 ms');
    expect(description).toContain('agent.restart was accepted as B died, waited 930 ms');
  });

  it('refuses a run in which nothing was killed, or the broker stayed away', () => {
    const [a] = TYPICAL.replicas;
    const [first] = TYPICAL.ownership;

    expect(() => layOut({ ...TYPICAL, replicas: [a!] })).toThrow('nothing was killed');
    expect(() => layOut({ ...TYPICAL, ownership: [first!] })).toThrow('did not come back');
  });

  it('escapes what is written into it', () => {
    const [first, ...others] = TYPICAL.dispatches;
    const op = `<script>alert("&")</script>`;

    const svg = svgOf(layOut({ ...TYPICAL, dispatches: [{ ...first!, op }, ...others] }));

    expect(svg).toContain('&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;');
    expect(svg).not.toContain('<script');
  });
});

describe('docs/images/demo.svg', () => {
  const svg = readFileSync('docs/images/demo.svg', 'utf8');

  it('follows the theme of its reader, and asks for nothing from elsewhere', () => {
    expect(svg).toContain('@media (prefers-color-scheme: dark)');
    expect(svg).not.toMatch(/<script|<image|<foreignObject|@import|url\(|href/);
  });

  it('has words for those who do not see it, as the README has', () => {
    expect(svg).toMatch(/role="img"[^]*<title>[^<]+<\/title>\n<desc>[^<]+<\/desc>/);
    expect(readFileSync('README.md', 'utf8')).toMatch(/!\[[^\]]{40,}\]\(docs\/images\/demo\.svg\)/);
  });
});
