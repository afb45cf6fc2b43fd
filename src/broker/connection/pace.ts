/**
 * How far a link is ahead of its hub. Nothing is lost to a narrow way while little waits on it: pings get through, and what
 * is cut off was not much. So whoever has much to say, and may wait, says more once the hub has taken what was said before.
 *
 *   in step --much is said--> behind --the hub takes it, or the link ends--> in step
 *
 * It holds nothing back: what must be said at once is sent all the same.
 */

/**
 * What may wait for the hub before more should. With a part of as much and one largest result on top, all that waits is
 * through before two pings are overdue, also where only 32 KiB a second get through.
 */
export const AHEAD_BYTES = 256 * 1024;

export class Pace {
  readonly #waiting: (() => void)[] = [];
  #isOver = false;

  /**
   * @param bytesAhead said, and not taken yet
   * @param ended of the link; nobody waits any longer
   */
  constructor(
    private readonly bytesAhead: () => number,
    ended: Promise<unknown>,
  ) {
    void ended.then(() => {
      this.#isOver = true;
      this.#release();
    });
  }

  /** Whether what can wait should. */
  get isBehind(): boolean {
    return !this.#isOver && this.bytesAhead() > AHEAD_BYTES;
  }

  /** Resolves once little waits for the hub any more, or the link has ended. */
  async caughtUp(): Promise<void> {
    if (this.isBehind) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** The hub took something. */
  taken(): void {
    if (!this.isBehind) this.#release();
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
