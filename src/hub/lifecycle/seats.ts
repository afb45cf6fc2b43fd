export type SeatsOptions = {
  /** How much of the work goes on at a time. */
  most: number;
  /** How many wait besides; another one is refused at once. */
  waitingMost: number;
  /** After so many milliseconds whoever has no seat yet is refused as well; left out, it waits for as long as it takes. */
  patienceMs?: number;
  refusal: () => Error;
};

/** Work of which only so much goes on at a time; a bounded number waits for a seat, in order, and the rest is refused. */
export class Seats {
  private taken = 0;
  private readonly queue = new Set<() => void>();

  constructor(private readonly options: SeatsOptions) {}

  /** @throws the refusal, and then the work was not begun */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.taken < this.options.most) this.taken += 1;
    else await this.turn();
    try {
      return await work();
    } finally {
      this.leave();
    }
  }

  private turn(): Promise<void> {
    const { waitingMost, patienceMs, refusal } = this.options;
    if (this.queue.size >= waitingMost) throw refusal();
    return new Promise((resolve, reject) => {
      const sit = () => {
        clearTimeout(timer);
        resolve();
      };
      const giveUp = () => {
        this.queue.delete(sit);
        reject(refusal());
      };
      const timer = patienceMs === undefined ? undefined : setTimeout(giveUp, patienceMs);
      this.queue.add(sit);
    });
  }

  /** Whoever ends hands its seat on, so that nobody comes in between. */
  private leave(): void {
    const [next] = this.queue;
    if (next === undefined) {
      this.taken -= 1;
      return;
    }
    this.queue.delete(next);
    next();
  }
}
