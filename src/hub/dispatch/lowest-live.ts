/** A `seq` may become visible later than a higher one; after this long it has, or its insert failed. See `Reading`. */
const SETTLED_AFTER_MS = 10_000;
/** What was given out is noted no more often than this. */
const NOTE_EVERY_MS = 1_000;
/** Projects that are remembered; all are counted from the beginning again where there are more. */
const REMEMBERED_MOST = 50_000;

/** From where a statement counts the live commands of projects, and up to where it may say that none is alive. */
export type CountedFrom = { projectIds: readonly string[]; from: readonly number[]; settled: number };

/**
 * Below which `seq` no command of a project is alive, as far as this replica can know: counts begin there. Entries of ended
 * commands stay in the index for as long as the oldest transaction, and a count from the beginning would walk all of them.
 *
 * A count says no more than what it saw, and a command may become visible after one with a higher `seq`. So nothing rises past
 * what was given out ten seconds before the count began. What takes longer to be committed stays uncounted until somebody looks
 * below (`fell`).
 */
export class LowestLive {
  private readonly lowest = new Map<string, number>();
  private notes: { seq: number; at: number }[] = [];
  private settled = 0;

  /** 0 where nothing is known of the project. */
  of(projectId: string): number {
    return this.lowest.get(projectId) ?? 0;
  }

  /** Projects of which more is known than nothing, and from where each is counted. */
  all(): { projectId: string; from: number }[] {
    return [...this.lowest].map(([projectId, from]) => ({ projectId, from }));
  }

  /** For a statement that begins now. */
  asked(projectIds: readonly string[], now: number): CountedFrom {
    while (this.notes[0] !== undefined && now - this.notes[0].at > SETTLED_AFTER_MS) {
      this.settled = Math.max(this.settled, this.notes[0].seq);
      this.notes.shift();
    }
    return { projectIds, from: projectIds.map((id) => this.of(id)), settled: this.settled };
  }

  /**
   * Takes what a statement found.
   *
   * @param counted of projects that it counted, the `seq` below which it saw none alive, at most what was settled as it began
   * @param lastSeq the last that was given out, as it saw it
   */
  took(asked: CountedFrom, counted: ReadonlyMap<string, number>, lastSeq: number, now: number): void {
    // A standby that took over without its last moments gives the same numbers out again.
    if (lastSeq < asked.settled) return this.forget();
    if (this.lowest.size > REMEMBERED_MOST) this.lowest.clear();
    for (const [place, projectId] of asked.projectIds.entries()) {
      const to = counted.get(projectId) ?? 0;
      const known = this.of(projectId);
      // Where it began above what is known by now, somebody found one meanwhile that it did not see.
      if ((asked.from[place] ?? 0) <= known && to > known) this.lowest.set(projectId, to);
    }
    const latest = this.notes.at(-1);
    if (latest === undefined || now - latest.at >= NOTE_EVERY_MS) this.notes.push({ seq: lastSeq, at: now });
  }

  /** One is alive below. */
  fell(projectId: string, seq: number): void {
    if (seq < this.of(projectId)) this.lowest.set(projectId, seq);
  }

  private forget(): void {
    this.lowest.clear();
    this.notes = [];
    this.settled = 0;
  }
}
