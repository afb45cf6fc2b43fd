import { widthOf, type Label } from './label.js';
import type { Scale } from './scale.js';

export type Kind = 'replica-a' | 'replica-b' | 'agent' | 'pending' | 'claimed' | 'running';
export type Bar = { x: number; y: number; width: number; height: number; kind: Kind };
export type Line = { x1: number; y1: number; x2: number; y2: number; kind: 'grid' | 'rule' | 'gap' | 'kill' };
export type Mark = { x: number; y: number; kind: 'killed' | 'succeeded' };

/** All that is to be drawn, in pixels. */
export type Drawing = {
  width: number;
  height: number;
  title: string;
  description: string;
  bars: Bar[];
  lines: Line[];
  marks: Mark[];
  labels: Label[];
};

/** What every lane draws into. */
export type Sheet = Omit<Drawing, 'width' | 'height' | 'title' | 'description'> & {
  scale: Scale;
  killX: number;
};

export const MARGIN = 24;
export const PLOT = { left: 132, right: 932 } as const;
export const BAR = 22;

/** A label in a bar. @returns whether it fitted, and is there */
export function barLabel(sheet: Sheet, { x, y, width }: Omit<Bar, 'kind' | 'height'>, text: string): boolean {
  const fits = widthOf(text, 12) + 12 <= width;
  if (fits) sheet.labels.push({ text, x: x + 8, y: y + 15, size: 12, anchor: 'start', tone: 'on-bar' });
  return fits;
}

export function laneTitle(sheet: Sheet, text: string, y: number): void {
  sheet.labels.push({ text, x: MARGIN, y: y + 15, size: 13, anchor: 'start', tone: 'strong' });
}
