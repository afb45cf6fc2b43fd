import type { Timeline, TimelineStep } from '../timeline.js';
import { widthOf, type Label } from './label.js';
import { BAR, PLOT, barLabel, laneTitle, type Kind, type Sheet } from './sheet.js';

const KINDS: Partial<Record<string, Kind>> = { pending: 'pending', claimed: 'claimed', running: 'running' };
const SIZE = 12;
/** Space that a line keeps from the line of the kill. */
const CLEAR = 8;

/** One dispatch: a bar for each state it was in, its ending, and in words below who did what. */
export function dispatchLane(sheet: Sheet, { op, trail }: Timeline['dispatches'][number], y: number): void {
  laneTitle(sheet, op, y);
  trail.forEach(({ state, at }, index) => {
    const x = sheet.scale.place(Date.parse(at));
    const kind = KINDS[state];
    if (kind === undefined) {
      if (state === 'succeeded') sheet.marks.push({ x, y: y + BAR / 2, kind: 'succeeded' });
      return;
    }
    const next = trail[index + 1];
    const width = Math.max((next === undefined ? PLOT.right : sheet.scale.place(Date.parse(next.at))) - x, 1);
    sheet.bars.push({ x, y, width, height: BAR, kind });
    barLabel(sheet, { x, y, width }, state);
  });
  const label = told(sheet, trail, y + BAR + 15);
  if (label !== undefined) sheet.labels.push(label);
}

/** As near to the beginning of its bar as it can be without crossing the line of the kill. */
function told({ scale, killX }: Sheet, trail: readonly TimelineStep[], y: number): Label | undefined {
  const [first] = trail;
  if (first === undefined) return undefined;
  const text = sentence(trail);
  const begin = scale.place(Date.parse(first.at));
  const width = widthOf(text, SIZE);
  const sides = [
    { from: PLOT.left, to: killX - CLEAR - width },
    { from: killX + CLEAR, to: PLOT.right - width },
  ];
  const [x] = sides
    .filter(({ from, to }) => from <= to)
    .map(({ from, to }) => Math.min(Math.max(begin, from), to))
    .sort((one, other) => Math.abs(one - begin) - Math.abs(other - begin));
  return x === undefined ? undefined : { text, x, y, size: SIZE, anchor: 'start', tone: 'plain' };
}

function sentence(trail: readonly TimelineStep[]): string {
  const [first] = trail;
  const last = trail.at(-1);
  const claims = trail
    .filter(({ state }) => state === 'claimed')
    .map(({ replica }) => `claimed by ${replica}`);
  const ms = Date.parse(last?.at ?? '') - Date.parse(first?.at ?? '');
  const ending = last?.state === 'succeeded' ? '' : `${last?.state} after `;
  return [`accepted by ${first?.replica}`, ...claims, `${ending}${ms} ms`].join(', ');
}
