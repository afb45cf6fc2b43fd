import type { TellLost } from './tracer.js';

const TELL_EVERY_MS = 60_000;

/** Counts spans, or records of the log, that were lost, and tells of them at most once a minute. */
export class Losses {
  private total = 0;
  private told = 0;
  private toldAt = -Infinity;

  constructor(
    private readonly tell: TellLost,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get count(): number {
    return this.total;
  }

  /** @param reason a code, such as `ECONNREFUSED` or a status of HTTP; never an address or an answer */
  add(items: number, reason: string): void {
    this.total += items;
    if (this.now() - this.toldAt < TELL_EVERY_MS) return;
    this.toldAt = this.now();
    const lost = this.total - this.told;
    this.told = this.total;
    this.tell({ lost, reason });
  }
}
