/** A soak over its time as SVG, readable on a light page and on a dark one: rate, latency, and what went wrong when. */
import type { Call } from './record.js';
import { FAULT_KINDS, LANES, type Lane } from './schedule.js';
import { spreadOf } from './slope.js';
import { toldOf, type Struck } from './struck.js';

const WIDTH = 1000;
const MARGIN = { left: 70, right: 20 };
const INK = '#808080';
const COLOURS = { accepted: '#2f81f7', p50: '#2da44e', p99: '#d9822b' } as const;
const LANE_COLOURS: Readonly<Record<Lane, string>> = {
  replica: '#cf4a8d',
  database: '#8957e5',
  edge: '#d9822b',
  slow: '#2da44e',
  disk: '#9a6700',
  service: '#0a7ea4',
};
const RATE = { top: 50, height: 130 };
const LATENCY = { top: 220, height: 130 };
const FAULTS = { top: 390, row: 18 };

type Band = { top: number; height: number };

export function timeline(
  title: string,
  calls: readonly Call[],
  struck: readonly Struck[],
  forMs: number,
): string {
  const spanMs = Math.max(forMs, 1_000);
  const bucketMs = Math.max(1_000, Math.ceil(spanMs / 240 / 1_000) * 1_000);
  const count = Math.ceil(spanMs / bucketMs);
  const x = (ms: number) =>
    MARGIN.left + ((WIDTH - MARGIN.left - MARGIN.right) * Math.min(ms, spanMs)) / spanMs;
  const accepted = Array.from({ length: count }, () => 0);
  const latencies = Array.from({ length: count }, (): number[] => []);
  for (const { acceptedMs, dueMs, waited } of calls) {
    if (acceptedMs === null) continue;
    const at = Math.floor(acceptedMs / bucketMs);
    if (at >= 0 && at < count) accepted[at] = (accepted[at] ?? 0) + 1;
    if (!waited)
      latencies[Math.min(count - 1, Math.max(0, Math.floor(dueMs / bucketMs)))]?.push(acceptedMs - dueMs);
  }
  const rates = accepted.map((each) => (each * 1_000) / bucketMs);
  const spreads = latencies.map((each) => (each.length === 0 ? null : spreadOf(each)));
  const rateY = linear(RATE, Math.max(1, ...rates));
  const slowest = Math.max(10, ...spreads.map((each) => each?.p99 ?? 0));
  const latencyY = logarithmic(LATENCY, slowest);
  const middle = (place: number) => x((place + 0.5) * bucketMs);
  const height = FAULTS.top + LANES.length * FAULTS.row + 70;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif">`,
    text(MARGIN.left, 22, title, 'start', 15),
    ...struck.map((fault) => shade(fault, x)),
    text(MARGIN.left, RATE.top - 8, 'accepted, commands a second', 'start', 11),
    ...[0, 0.5, 1].map((share) =>
      grid(rateY(Math.max(1, ...rates) * share), short(Math.max(1, ...rates) * share)),
    ),
    line(
      rates.map((rate, place) => [middle(place), rateY(rate)] as const),
      COLOURS.accepted,
    ),
    text(MARGIN.left, LATENCY.top - 8, 'from due to accepted, ms (p50 green, p99 orange)', 'start', 11),
    ...decades(slowest).map((tick) => grid(latencyY(tick), short(tick))),
    ...(['p50', 'p99'] as const).map((which) =>
      line(
        spreads.flatMap((each, place) =>
          each === null ? [] : [[middle(place), latencyY(each[which])] as const],
        ),
        COLOURS[which],
      ),
    ),
    ...LANES.map((lane, row) => text(MARGIN.left - 6, FAULTS.top + row * FAULTS.row + 12, lane, 'end', 11)),
    ...struck.map((fault) => mark(fault, x)),
    ...Array.from({ length: 7 }, (_none, place) => (spanMs * place) / 6).map((ms) =>
      text(x(ms), FAULTS.top + LANES.length * FAULTS.row + 18, `${short(ms / 1_000)} s`, 'middle', 11),
    ),
    '</svg>',
    '',
  ].join('\n');
}

function shade({ atMs, untilMs, kind }: Struck, x: (ms: number) => number): string {
  const width = Math.max(1, x(untilMs) - x(atMs));
  return (
    `<rect x="${fixed(x(atMs))}" y="${RATE.top}" width="${fixed(width)}" height="${LATENCY.top + LATENCY.height - RATE.top}" ` +
    `fill="${LANE_COLOURS[FAULT_KINDS[kind].lane]}" fill-opacity="0.08"/>`
  );
}

function mark(fault: Struck, x: (ms: number) => number): string {
  const { atMs, untilMs, kind, number } = fault;
  const { lane, what } = FAULT_KINDS[kind];
  const y = FAULTS.top + LANES.indexOf(lane) * FAULTS.row;
  return (
    `<rect x="${fixed(x(atMs))}" y="${y}" width="${fixed(Math.max(2, x(untilMs) - x(atMs)))}" height="${FAULTS.row - 4}" ` +
    `fill="${LANE_COLOURS[lane]}"><title>${escape(`${number}: ${what} (${kind}; ${toldOf(fault)})`)}</title></rect>`
  );
}

const linear =
  ({ top, height }: Band, most: number) =>
  (value: number) =>
    top + height - (height * value) / most;

function logarithmic({ top, height }: Band, most: number): (value: number) => number {
  const high = Math.ceil(Math.log10(most));
  return (value) => top + height - (height * Math.max(0, Math.log10(Math.max(1, value)))) / high;
}

function decades(most: number): number[] {
  return Array.from({ length: Math.ceil(Math.log10(most)) + 1 }, (_none, power) => 10 ** power);
}

function line(points: readonly (readonly [number, number])[], colour: string): string {
  const path = points.map(([x, y]) => `${fixed(x)},${fixed(y)}`).join(' ');
  return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>`;
}

function grid(y: number, label: string): string {
  return (
    `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${fixed(y)}" y2="${fixed(y)}" stroke="${INK}" ` +
    `stroke-opacity="0.3"/>${text(MARGIN.left - 6, y + 4, label, 'end', 10)}`
  );
}

function text(x: number, y: number, content: string, anchor: string, size: number): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}" font-size="${size}" fill="${INK}">${escape(content)}</text>`;
}

const fixed = (value: number) => value.toFixed(1);

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function escape(content: string): string {
  return content
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
