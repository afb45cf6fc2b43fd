import type { Timeline } from '../timeline.js';
import { dispatchLane } from './dispatch-lane.js';
import { widthOf } from './label.js';
import { agentLane, brokerLane, replicaLane } from './lanes.js';
import { momentsOf, type Moments } from './moments.js';
import { Scale } from './scale.js';
import { MARGIN, PLOT, type Drawing, type Kind, type Sheet } from './sheet.js';

const WIDTH = 960;
const FIRST_LANE = 122;
const DISPATCH_LANE = 54;

/**
 * The time line of a run: a lane for each replica, for the broker's connection, for the agent and for each dispatch,
 * around the moment at which a replica is killed.
 *
 * @throws Error where nothing in it was killed, or the broker did not come back
 */
export function layOut(timeline: Timeline): Drawing {
  const moments = momentsOf(timeline);
  const scale = new Scale(moments.shown, { from: PLOT.left, to: PLOT.right });
  const killX = scale.place(moments.killed);
  const sheet: Sheet = { scale, killX, bars: [], lines: [], marks: [], labels: [] };

  header(sheet, moments);
  let y = FIRST_LANE;
  for (const name of moments.replicas) y = replicaLane(sheet, moments, name, y);
  y = brokerLane(sheet, moments, y);
  y = agentLane(sheet, moments, y);
  sheet.lines.push({ x1: MARGIN, y1: y - 2, x2: WIDTH - MARGIN, y2: y - 2, kind: 'rule' });
  y += 14;
  for (const dispatch of timeline.dispatches) {
    dispatchLane(sheet, dispatch, y);
    y += DISPATCH_LANE;
  }
  axis(sheet, moments, y);
  legend(sheet, y + 48);
  const { bars, lines, marks, labels } = sheet;
  const { title, description } = moments;
  return { width: WIDTH, height: y + 68, title, description, bars, lines, marks, labels };
}

function header(sheet: Sheet, { title, description, killedName }: Moments): void {
  sheet.labels.push({ text: title, x: MARGIN, y: 38, size: 18, anchor: 'start', tone: 'strong' });
  sheet.labels.push({ text: description, x: MARGIN, y: 62, size: 13, anchor: 'start', tone: 'dim' });
  const text = `kill -9 replica ${killedName}`;
  const half = widthOf(text, 12) / 2;
  const x = Math.min(Math.max(sheet.killX, PLOT.left + half), PLOT.right - half);
  sheet.labels.push({ text, x, y: 100, size: 12, anchor: 'middle', tone: 'alarm' });
}

function axis(sheet: Sheet, { killed }: Moments, y: number): void {
  for (const { x, text } of sheet.scale.ticks(killed)) {
    sheet.lines.push({ x1: x, y1: FIRST_LANE - 8, x2: x, y2: y, kind: 'grid' });
    const half = widthOf(text, 11) / 2;
    if (x + half <= WIDTH - 4)
      sheet.labels.push({ text, x, y: y + 16, size: 11, anchor: 'middle', tone: 'dim' });
  }
  sheet.lines.push({ x1: sheet.killX, y1: FIRST_LANE - 14, x2: sheet.killX, y2: y, kind: 'kill' });
}

function legend(sheet: Sheet, y: number): void {
  const entries: [kind: Kind, text: string][] = [
    ['pending', 'pending: stored, waits'],
    ['claimed', 'claimed: on the wire'],
    ['running', 'running: held by the broker'],
  ];
  let x: number = PLOT.left;
  for (const [kind, text] of entries) {
    sheet.bars.push({ x, y: y - 9, width: 16, height: 10, kind });
    sheet.labels.push({ text, x: x + 22, y, size: 12, anchor: 'start', tone: 'dim' });
    x += 22 + widthOf(text, 12) + 18;
  }
  sheet.marks.push({ x: x + 8, y: y - 4, kind: 'succeeded' });
  sheet.labels.push({ text: 'succeeded', x: x + 22, y, size: 12, anchor: 'start', tone: 'dim' });
}
