/**
 * Ids that may be used once within a time, in memory. Kept in two halves of which the older one goes when the younger is that
 * old, so that each is kept for the time at least and for twice as long at most, and forgetting costs nothing.
 */
export class UsedIds {
  private young = new Set<string>();
  private old = new Set<string>();
  private turnedAtMs: number;

  constructor(
    private readonly keptMs: number,
    private readonly clockMs: () => number = () => performance.now(),
  ) {
    this.turnedAtMs = clockMs();
  }

  get size(): number {
    return this.young.size + this.old.size;
  }

  /** @returns false where it was used before */
  use(id: string): boolean {
    const sinceMs = this.clockMs() - this.turnedAtMs;
    if (sinceMs >= this.keptMs) {
      this.old = sinceMs >= 2 * this.keptMs ? new Set() : this.young;
      this.young = new Set();
      this.turnedAtMs = this.clockMs();
    }
    if (this.young.has(id) || this.old.has(id)) return false;
    this.young.add(id);
    return true;
  }
}
