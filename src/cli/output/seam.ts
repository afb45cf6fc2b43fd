/**
 * How one look at the end of an agent's output goes on from the look before it. The broker tells the last lines and
 * neither where they stand nor which run they are of, so the place is found by the lines that both looks hold.
 *
 * What this cannot tell apart: a line that is written over and over looks like one that was seen already wherever both
 * looks are full of it, and such repeats are left out.
 */

/** The end of an output, as it was at one time. */
export type Tail = {
  lines: readonly string[];
  /** Whether there was nothing before these lines. */
  isWhole: boolean;
};

/**
 * - `follows`: the lines come right after those of the look before
 * - `anew`: another output began, as it does when an agent is started again
 * - `gap`: more was written between the looks than a look holds; what is missing stays missing
 */
export type Seam = 'follows' | 'anew' | 'gap';

/** How a look goes on from the one before. */
export type Joined = {
  seam: Seam;
  /** Those that the look before did not have. A last line that was caught half written is among them, whole. */
  lines: readonly string[];
  /** What is known of the end of the output by both looks. */
  tail: Tail;
  /**
   * Whether a longer look could not say otherwise: the looks have much in common, and that in one way alone. Of short looks few
   * lines that are the same may be so by chance, and lines that repeat themselves fit in many places.
   */
  isSure: boolean;
};

export function join(before: Tail, now: Tail): Joined {
  const place = placeOf(before, now);
  if (place === undefined) {
    const seam = now.isWhole ? 'anew' : 'gap';
    return { seam, lines: now.lines, tail: now, isSure: now.isWhole };
  }
  const { length, known } = place;
  const lines = now.lines.slice(known);
  const seen = before.lines.slice(0, before.lines.length - length + known);
  const tail = { lines: [...seen, ...lines], isWhole: before.isWhole };
  return { seam: 'follows', lines, tail, isSure: now.isWhole || isOnlyPlace(before, now, place) };
}

/** So many lines both have in common, of which so many were seen as they are. */
type Place = { length: number; known: number };

/** undefined where the looks have nothing to do with each other. */
function placeOf(before: Tail, now: Tail): Place | undefined {
  if (before.isWhole && now.isWhole) {
    const known = overlap(before.lines, now.lines, before.lines.length);
    return known === undefined ? undefined : { length: before.lines.length, known };
  }
  // An output that was longer than a look does not become shorter: this is another.
  if (now.isWhole) return undefined;
  return placeWithin(before, now, Math.min(before.lines.length, now.lines.length));
}

/** The one with the most lines in common, up to so many. */
function placeWithin(before: Tail, now: Tail, most: number): Place | undefined {
  for (let length = most; length > 0; length -= 1) {
    const known = overlap(before.lines, now.lines, length);
    // One line that begins like another is no proof.
    if (known !== undefined && known > 0) return { length, known };
  }
  return undefined;
}

function isOnlyPlace(before: Tail, now: Tail, { length, known }: Place): boolean {
  const enough = now.lines.length / 2;
  if (known < enough) return false;
  const next = placeWithin(before, now, length - 1);
  return next === undefined || next.known < enough;
}

/** How many lines of `now` were seen, if it begins with the last lines of `before`, so many of them. */
function overlap(before: readonly string[], now: readonly string[], length: number): number | undefined {
  if (length === 0) return 0;
  const start = before.length - length;
  for (let at = 0; at < length - 1; at += 1) {
    if (before[start + at] !== now[at]) return undefined;
  }
  const [last, found] = [before[before.length - 1], now[length - 1]];
  if (last === undefined || found === undefined) return undefined;
  if (found === last) return length;
  // Half written when it was seen, it is new as a whole. An empty one was not: its end is what made it a line.
  return last !== '' && found.startsWith(last) ? length - 1 : undefined;
}
