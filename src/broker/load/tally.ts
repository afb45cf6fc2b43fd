/** What a load of simulated brokers has seen so far. */

/** A time in which not all brokers were linked, though all had been. */
export type Storm = {
  /** The most that were without a link at a time. */
  lost: number;
  /** Until all were linked again; null where that did not happen. */
  relinkedMs: number | null;
};

export type Summary = {
  count: number;
  joined: number;
  /** Linked when the load ended. */
  linked: number;
  /** From the first join until all were linked; null where that did not happen. */
  allLinkedMs: number | null;
  /** From dialling to the welcome, of every link. */
  linkMs: { p50: number | null; p99: number | null };
  /** Links that were made after a broker's first. */
  reconnects: number;
  beats: number;
  /** Commands that were answered. */
  commands: number;
  storms: Storm[];
  /** What brokers met with, and how often, the most frequent first. */
  troubles: { trouble: string; times: number }[];
};

const TROUBLES_TOLD = 5;

export class Tally {
  joined = 0;
  reconnects = 0;
  beats = 0;
  commands = 0;
  #linked = 0;
  #allLinkedMs: number | null = null;
  readonly #linkMs: number[] = [];
  readonly #storms: Storm[] = [];
  #storm: { since: number; storm: Storm } | undefined;
  readonly #troubles = new Map<string, number>();
  readonly #begunAt: number;

  /** @param now milliseconds of a clock that only grows */
  constructor(
    private readonly count: number,
    private readonly now: () => number,
  ) {
    this.#begunAt = now();
  }

  get linked(): number {
    return this.#linked;
  }

  /** Whether all have been linked at some time. */
  get wasComplete(): boolean {
    return this.#allLinkedMs !== null;
  }

  /** Whether links were lost after all had been linked, and all are linked again. */
  get hasWeathered(): boolean {
    return this.#storm === undefined && this.#storms.length > 0;
  }

  linkedOne(tookMs: number): void {
    this.#linkMs.push(tookMs);
    this.#linked += 1;
    if (this.#linked < this.count) return;
    this.#allLinkedMs ??= this.now() - this.#begunAt;
    if (this.#storm === undefined) return;
    this.#storm.storm.relinkedMs = this.now() - this.#storm.since;
    this.#storm = undefined;
  }

  lostOne(): void {
    this.#linked -= 1;
    if (!this.wasComplete) return;
    if (this.#storm === undefined) {
      const storm = { lost: 0, relinkedMs: null };
      this.#storms.push(storm);
      this.#storm = { since: this.now(), storm };
    }
    this.#storm.storm.lost = Math.max(this.#storm.storm.lost, this.count - this.#linked);
  }

  met(trouble: string): void {
    this.#troubles.set(trouble, (this.#troubles.get(trouble) ?? 0) + 1);
  }

  summary(): Summary {
    const round = (ms: number | null): number | null => (ms === null ? null : Math.round(ms * 10) / 10);
    return {
      count: this.count,
      joined: this.joined,
      linked: this.#linked,
      allLinkedMs: round(this.#allLinkedMs),
      linkMs: { p50: round(rank(this.#linkMs, 0.5)), p99: round(rank(this.#linkMs, 0.99)) },
      reconnects: this.reconnects,
      beats: this.beats,
      commands: this.commands,
      storms: this.#storms.map(({ lost, relinkedMs }) => ({ lost, relinkedMs: round(relinkedMs) })),
      troubles: [...this.#troubles]
        .map(([trouble, times]) => ({ trouble, times }))
        .sort((one, other) => other.times - one.times)
        .slice(0, TROUBLES_TOLD),
    };
  }
}

/** Nearest rank, nothing interpolated; null of nothing. */
function rank(figures: readonly number[], share: number): number | null {
  const sorted = Float64Array.from(figures).sort();
  return sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] ?? null;
}
