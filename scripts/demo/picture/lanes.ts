import { boxOf, widthOf, type Label } from './label.js';
import type { Moments } from './moments.js';
import { BAR, PLOT, barLabel, laneTitle, type Kind, type Sheet } from './sheet.js';

/** Each function draws at a height, and gives that of the next lane. */
const LANE = 38;

export function replicaLane(sheet: Sheet, { killedName, askedOf }: Moments, name: string, y: number): number {
  const { killX } = sheet;
  const isKilled = name === killedName;
  const right = isKilled ? killX : PLOT.right;
  const bar = { x: PLOT.left, y, width: right - PLOT.left, height: BAR, kind: kindOf(name) };
  laneTitle(sheet, `replica ${name}`, y);
  sheet.bars.push(bar);
  barLabel(sheet, bar, name === askedOf ? 'serves; every command is given to it' : 'serves');
  if (isKilled) {
    sheet.marks.push({ x: killX, y: y + BAR / 2, kind: 'killed' });
    const gone: Label = { text: 'gone', x: killX + 16, y: y + 15, size: 12, anchor: 'start', tone: 'dim' };
    if (boxOf(gone).right <= PLOT.right) sheet.labels.push(gone);
  }
  return y + LANE;
}

export function brokerLane(sheet: Sheet, { connections }: Moments, y: number): number {
  laneTitle(sheet, 'broker', y);
  connections.forEach(({ replica, epoch, from, to }, index) => {
    const x = sheet.scale.place(from);
    const width = sheet.scale.place(to) - x;
    sheet.bars.push({ x, y, width, height: BAR, kind: kindOf(replica) });
    barLabel(sheet, { x, y, width }, `epoch ${epoch}: connected to ${replica}`);
    const next = connections[index + 1];
    if (next === undefined) return;
    const gap = { from: x + width, to: sheet.scale.place(next.from) };
    sheet.lines.push({ x1: gap.from, y1: y + BAR / 2, x2: gap.to, y2: y + BAR / 2, kind: 'gap' });
    const text = 'no link; it dials on';
    if (widthOf(text, 12) + 24 <= gap.to - gap.from)
      sheet.labels.push({ text, x: gap.from + 12, y: y + 6, size: 12, anchor: 'start', tone: 'dim' });
  });
  return y + LANE;
}

export function agentLane(sheet: Sheet, { runs }: Moments, y: number): number {
  laneTitle(sheet, 'agent', y);
  runs.forEach(({ from, to }, index) => {
    // A hair between them, where the one ends and the next begins.
    const x = sheet.scale.place(from) + (index === 0 ? 0 : 2);
    const width = Math.max(sheet.scale.place(to) - x, 2);
    sheet.bars.push({ x, y, width, height: BAR, kind: 'agent' });
    const text = `run ${index + 1}`;
    if (barLabel(sheet, { x, y, width }, text) || index < runs.length - 1) return;
    const label: Label = { text, x: x + width + 8, y: y + 15, size: 12, anchor: 'start', tone: 'dim' };
    if (boxOf(label).right <= PLOT.right) sheet.labels.push(label);
  });
  return y + LANE;
}

function kindOf(replica: string): Kind {
  return replica === 'B' ? 'replica-b' : 'replica-a';
}
