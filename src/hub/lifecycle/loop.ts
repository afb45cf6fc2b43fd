/** How a background loop is doing, for the health report. */
export type LoopReport = {
  name: string;
  running: boolean;
  /** Turns that failed since the last one that succeeded. */
  faults: number;
  /** Milliseconds since the last turn that succeeded; null before the first. */
  progressAgeMs: number | null;
};

export type LoopOptions = {
  name: string;
  /** Rest between two turns, in milliseconds; a wake cuts it short. */
  everyMs: number | (() => number);
  /** One turn of work. What it throws is reported and backed off from; it never ends the loop. */
  turn: (signal: AbortSignal) => Promise<void>;
  onFault: (error: unknown, name: string) => void;
  /** Longest rest after a row of faults, in milliseconds. Default 10 s. */
  faultCapMs?: number;
};

/**
 * A background loop: turns of work with a rest between them, cut short by `wake`.
 *
 * `start` returns at once. `stop` may be called at any time and any number of times, also before `start`; it
 * resolves when no turn is running and none will. Two turns never overlap. A wake during a turn is not lost:
 * another turn follows at once.
 */
export class Loop {
  private readonly abort = new AbortController();
  private done: Promise<void> | undefined;
  private woken = false;
  private endRest: (() => void) | undefined;
  private faults = 0;
  private progressAt: number | undefined;

  constructor(private readonly options: LoopOptions) {}

  start(): void {
    if (this.abort.signal.aborted) return;
    this.done ??= this.run();
  }

  /** Asks for a turn now, or for one more after the turn that is running. */
  wake(): void {
    this.woken = true;
    this.endRest?.();
  }

  async stop(): Promise<void> {
    this.abort.abort();
    this.endRest?.();
    await this.done;
  }

  report(): LoopReport {
    return {
      name: this.options.name,
      running: this.done !== undefined && !this.abort.signal.aborted,
      faults: this.faults,
      progressAgeMs: this.progressAt === undefined ? null : Math.round(performance.now() - this.progressAt),
    };
  }

  private async run(): Promise<void> {
    const { signal } = this.abort;
    while (!signal.aborted) {
      this.woken = false;
      try {
        await this.options.turn(signal);
        this.faults = 0;
        this.progressAt = performance.now();
      } catch (error) {
        this.faults += 1;
        if (!signal.aborted) this.options.onFault(error, this.options.name);
      }
      if (!signal.aborted) await this.rest();
    }
  }

  private async rest(): Promise<void> {
    // After a fault a wake does not cut the rest short: what woke us will still be there.
    if (this.woken && this.faults === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.restMs());
      this.endRest = () => {
        if (this.faults > 0 && !this.abort.signal.aborted) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.endRest = undefined;
  }

  private restMs(): number {
    const { everyMs, faultCapMs = 10_000 } = this.options;
    const base = typeof everyMs === 'number' ? everyMs : everyMs();
    if (this.faults === 0) return base;
    const ceiling = Math.min(faultCapMs, Math.max(base, 100) * 2 ** Math.min(this.faults, 16));
    return ceiling / 2 + (Math.random() * ceiling) / 2;
  }
}
