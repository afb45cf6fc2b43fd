export type Label = {
  text: string;
  x: number;
  /** Of its baseline. */
  y: number;
  size: number;
  anchor: 'start' | 'middle' | 'end';
  tone: 'strong' | 'plain' | 'dim' | 'on-bar' | 'alarm';
};

export type Box = { left: number; right: number; top: number; bottom: number };

/** Wider than most fonts are: which one a reader has is not known. */
const EM_PER_LETTER = 0.58;

export function widthOf(text: string, size: number): number {
  return [...text].length * size * EM_PER_LETTER;
}

export function boxOf({ text, x, y, size, anchor }: Label): Box {
  const width = widthOf(text, size);
  const left = anchor === 'start' ? x : anchor === 'end' ? x - width : x - width / 2;
  return { left, right: left + width, top: y - size * 0.8, bottom: y + size * 0.25 };
}

export function overlap(one: Box, other: Box): boolean {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}
