type Waiting<I, O> = {
  item: I;
  resolve: (value: O | Promise<O>) => void;
  reject: (error: unknown) => void;
};

/** However long a batch took, since nobody is to wait for a statement that ran into its timeout once more. */
const LONGEST_REST_MS = 250;

/**
 * Groups single pieces of work into batches, one batch in flight at a time: what arrives while a batch is under
 * way goes into the next one, in order of arrival. The first piece of a quiet moment goes at once, so an idle
 * hub adds no delay, and a busy one makes its batches as large as its database is slow. Where it rests between two of
 * them, they are as large as what comes meanwhile, however fast the database is; where it rests for as long as one took, and
 * they are neither full nor slow, it leaves half of the time to others.
 */
export class Group<I, O> {
  private waiting: Waiting<I, O>[] = [];
  private flight: Promise<void> | undefined;
  private isCarrying = false;

  /**
   * @param carry does a batch; gives one outcome an item, in order. An outcome that is an Error rejects its item
   *   alone; one that is a promise is waited for by its item alone; what `carry` throws rejects the whole batch.
   * @param most largest batch, of so many that wait
   * @param rest from the end of a batch to the beginning of the next that is not full: milliseconds; or as long as the batch
   *   took, where more waits already
   */
  constructor(
    private readonly carry: (items: I[]) => Promise<(O | Promise<O> | Error)[]>,
    private readonly most: number | ((waiting: number) => number),
    private readonly rest: number | 'as_it_took' = 0,
  ) {}

  add(item: I): Promise<O> {
    return new Promise<O>((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      this.flight ??= this.fly();
    });
  }

  /** Whether what is added now is carried at once. */
  get isFree(): boolean {
    return !this.isCarrying;
  }

  /** Resolves when nothing waits and nothing is in flight. */
  async idle(): Promise<void> {
    while (this.flight !== undefined) await this.flight;
  }

  private mostOf(waiting: number): number {
    return typeof this.most === 'number' ? this.most : this.most(waiting);
  }

  private async fly(): Promise<void> {
    // Requests read from sockets in the same turn of the event loop belong together.
    await turnOver();
    this.isCarrying = true;
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, this.mostOf(this.waiting.length));
      const restMs = this.restAfter(await this.carryOut(batch));
      if (restMs > 0 && this.waiting.length < this.mostOf(this.waiting.length)) await restFor(restMs);
    }
    this.flight = undefined;
    this.isCarrying = false;
  }

  private restAfter(tookMs: number): number {
    if (this.rest !== 'as_it_took') return this.rest;
    return this.waiting.length === 0 ? 0 : Math.min(tookMs, LONGEST_REST_MS);
  }

  /** @returns how long the batch took, in milliseconds */
  private async carryOut(batch: Waiting<I, O>[]): Promise<number> {
    const begunAt = performance.now();
    let tookMs: number;
    try {
      const outcomes = await this.carry(batch.map(({ item }) => item));
      tookMs = performance.now() - begunAt;
      // What it wrote to others on HTTP/2 leaves at the end of the turn: it is not to wait for all that its items set going here.
      await turnOver();
      batch.forEach(({ resolve, reject }, index) => {
        const outcome = outcomes[index];
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome as O | Promise<O>);
      });
    } catch (error) {
      tookMs = performance.now() - begunAt;
      for (const { reject } of batch) reject(error);
    }
    return tookMs;
  }
}

function turnOver(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

function restFor(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref());
}
