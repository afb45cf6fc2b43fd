import { within } from './within.js';

/** When something last went well, and who waits until it does again. Times are milliseconds of the monotonic clock. */
export class LastGood {
  private at = -Infinity;
  private readonly listeners = new Set<() => void>();

  /** @param at the moment for which it speaks: that of the asking, or of the answer */
  note(at: number): void {
    this.at = at;
    for (const listener of this.listeners) listener();
  }

  /** As though it had never gone well. */
  forget(): void {
    this.at = -Infinity;
  }

  isWithin(ms: number): boolean {
    return performance.now() - this.at < ms;
  }

  /** Whether it goes well for a moment from now on, within so many milliseconds. */
  async again(withinMs: number): Promise<boolean> {
    const askedAt = performance.now();
    let listener = (): void => undefined;
    const good = new Promise<true>((resolve) => {
      listener = () => this.at >= askedAt && resolve(true);
      this.listeners.add(listener);
    });
    try {
      return (await within(withinMs, good)) === true;
    } finally {
      this.listeners.delete(listener);
    }
  }
}
