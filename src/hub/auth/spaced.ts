import { setTimeout as rest } from 'node:timers/promises';

/**
 * Turns of one act, spaced: however many ask, the act begins at most once an interval, and everybody who asks gets
 * a turn that began after asking. So nobody is answered from what was read too early, and a flood of callers costs
 * no more than one.
 */
export class Spaced {
  private last: Promise<void> = Promise.resolve();
  private begunAtMs = -Infinity;
  private next: Promise<void> | undefined;

  constructor(
    private readonly act: () => Promise<void>,
    private readonly intervalMs: number,
  ) {}

  /** Resolves after the turn. @throws what the act throws */
  turn(): Promise<void> {
    this.next ??= this.queue();
    return this.next;
  }

  private async queue(): Promise<void> {
    await this.last;
    const waitMs = this.begunAtMs + this.intervalMs - performance.now();
    // A process that wants to end does not wait for a turn of this.
    if (waitMs > 0) await rest(waitMs, undefined, { ref: false });
    this.next = undefined;
    this.begunAtMs = performance.now();
    const turn = this.act();
    this.last = turn.catch(() => undefined);
    await turn;
  }
}
