/**
 * Since when somebody has been looking at regular times. Whoever was paused, or held up by an outage, finds all clocks
 * gone on and everybody silent: what happened in a gap is not held against those who were not looked at.
 */
export class Vigil {
  private since = -Infinity;
  private lookedAt = -Infinity;

  /** @param gapMs between two looks, from which on it begins anew */
  constructor(private readonly gapMs: number) {}

  /**
   * Looks now.
   *
   * @param now milliseconds of a clock that only grows
   * @returns milliseconds since when it has been looking without a gap
   */
  look(now: number): number {
    if (now - this.lookedAt >= this.gapMs) this.since = now;
    this.lookedAt = now;
    return now - this.since;
  }
}
