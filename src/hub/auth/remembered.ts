/**
 * Values kept for a time each, and never more than so many: the oldest goes when one more comes. Those whose time is over go with the
 * next that comes, as far as they are older than all that are still kept.
 */
export class Remembered<V> {
  private readonly entries = new Map<string, { value: V; untilMs: number }>();

  constructor(
    private readonly most: number,
    private readonly clockMs: () => number,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  get(key: string): V | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    if (this.clockMs() < entry.untilMs) return entry.value;
    this.entries.delete(key);
    return undefined;
  }

  set(key: string, value: V, forMs: number): void {
    const nowMs = this.clockMs();
    // A map keeps the order of insertion, so a key that is set again must go to the end.
    this.entries.delete(key);
    this.entries.set(key, { value, untilMs: nowMs + forMs });
    for (const [oldest, { untilMs }] of this.entries) {
      if (this.entries.size <= this.most && nowMs < untilMs) return;
      this.entries.delete(oldest);
    }
  }

  delete(key: string): void {
    this.entries.delete(key);
  }

  /** Forgets all values for which this holds. */
  deleteWhere(holds: (value: V) => boolean): void {
    for (const [key, { value }] of this.entries) if (holds(value)) this.entries.delete(key);
  }
}
