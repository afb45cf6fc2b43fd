import { setTimeout as wait } from 'node:timers/promises';

/** One round of a care. @returns false where it is to be tried again soon */
type Look = (signal: AbortSignal) => Promise<boolean>;

/**
 * What a running broker sees to again and again, beside its work: a round, a rest, and the next one. `start` returns at
 * once; `stop` is idempotent, safe if never started, and resolves when no round is running and none will.
 */
export class Rounds {
  private readonly stopping = new AbortController();
  private resting: AbortController | undefined;
  private isWanted = false;
  private running: Promise<void> | undefined;

  /** @param restMs how long to rest after so many rounds in a row that are to be tried again */
  constructor(
    private readonly look: Look,
    private readonly restMs: (failed: number) => number,
  ) {}

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.resting?.abort();
    await this.running;
  }

  /** Has the next round begin at once; one that goes on is followed by another. */
  wake(): void {
    this.isWanted = true;
    this.resting?.abort();
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    for (let failed = 0; !signal.aborted;) {
      this.isWanted = false;
      failed = (await this.look(signal)) ? 0 : failed + 1;
      if (!this.isWanted) await this.rest(this.restMs(failed));
    }
  }

  private async rest(ms: number): Promise<void> {
    const { signal } = (this.resting = new AbortController());
    if (!this.stopping.signal.aborted) await wait(ms, undefined, { signal }).catch(() => undefined);
    this.resting = undefined;
  }
}
