import { Broken, shown } from './rule.js';

type Match<T> = (item: T) => boolean;

/** Things that come one after another, each with its time, and whoever waits for one of them. */
export class Arrivals<T> {
  readonly all: { item: T; atMs: number }[] = [];
  private taken = new Set<T>();
  private readonly waiting = new Set<() => void>();
  private whyOver: string | undefined;

  add(item: T): void {
    this.all.push({ item, atMs: performance.now() });
    this.wake();
  }

  /** Nothing more will come. */
  end(why: string): void {
    this.whyOver = why;
    this.wake();
  }

  /**
   * The first that matches and that nobody has taken, past or to come.
   *
   * @throws Broken where none comes in time, or nothing can come any more
   */
  async next<U extends T>(
    what: string,
    matches: ((item: T) => item is U) | Match<T>,
    withinMs: number,
  ): Promise<U> {
    const until = performance.now() + withinMs;
    for (;;) {
      const found = this.all.find(({ item }) => !this.taken.has(item) && matches(item));
      if (found !== undefined) {
        this.taken.add(found.item);
        return found.item as U;
      }
      const leftMs = until - performance.now();
      if (this.whyOver !== undefined) throw new Broken(what, this.whyOver);
      if (leftMs <= 0) throw new Broken(`${what} within ${withinMs / 1_000} s`, this.untaken());
      await this.change(leftMs);
    }
  }

  /** Whether so many have come, within the time. */
  async hasCome(count: number, withinMs: number): Promise<boolean> {
    const until = performance.now() + withinMs;
    while (this.all.length < count && this.whyOver === undefined) {
      const leftMs = until - performance.now();
      if (leftMs <= 0) break;
      await this.change(leftMs);
    }
    return this.all.length >= count;
  }

  /** @returns one that matches and that nobody has taken, if one comes in the time */
  async within(matches: Match<T>, ms: number): Promise<T | undefined> {
    const until = performance.now() + ms;
    for (;;) {
      const found = this.all.find(({ item }) => !this.taken.has(item) && matches(item));
      const leftMs = until - performance.now();
      if (found !== undefined || leftMs <= 0 || this.whyOver !== undefined) return found?.item;
      await this.change(leftMs);
    }
  }

  private untaken(): string {
    const left = this.all.filter(({ item }) => !this.taken.has(item)).map(({ item }) => item);
    return left.length === 0 ? 'nothing' : `nothing but ${shown(left.slice(-3))}`;
  }

  private wake(): void {
    for (const waiter of [...this.waiting]) waiter();
  }

  private async change(withinMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      this.waiting.add(done);
    });
  }
}
