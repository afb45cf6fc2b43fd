/** Work of which only so much goes on at a time; the rest waits for its turn, in order. */
export class Turns {
  private atWork = 0;
  private readonly queue: (() => void)[] = [];

  /** @param most how much of it at a time */
  constructor(private readonly most: number) {}

  /** How many wait. */
  get waiting(): number {
    return this.queue.length;
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.atWork >= this.most) {
      // Whoever ends hands its place on, so that nobody comes in between.
      await new Promise<void>((resolve) => this.queue.push(resolve));
    } else {
      this.atWork += 1;
    }
    try {
      return await work();
    } finally {
      const next = this.queue.shift();
      if (next === undefined) this.atWork -= 1;
      else next();
    }
  }
}
