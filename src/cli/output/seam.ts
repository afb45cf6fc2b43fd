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

/**
 * The lines that the look before did not have. A last line that was caught half written is among them, whole.
 */
export function newLines(before: Tail, now: Tail): { seam: Seam; lines: readonly string[] } {
  const known = knownOf(before, now);
  if (known !== undefined) return { seam: 'follows', lines: now.lines.slice(known) };
  return { seam: now.isWhole ? 'anew' : 'gap', lines: now.lines };
}

/** How many of the first lines were seen; undefined where the looks have nothing to do with each other. */
function knownOf(before: Tail, now: Tail): number | undefined {
  if (before.isWhole && now.isWhole) return overlap(before.lines, now.lines, before.lines.length);
  // An output that was longer than a look does not become shorter: this is another.
  if (now.isWhole) return undefined;
  for (let length = Math.min(before.lines.length, now.lines.length); length > 0; length -= 1) {
    const known = overlap(before.lines, now.lines, length);
    // One line that begins like another is no proof.
    if (known !== undefined && known > 0) return known;
  }
  return undefined;
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
