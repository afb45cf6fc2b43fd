/** Work in turns: of one key one piece after another, and over all keys at most so many pieces at once. */

const AT_ONCE = 32;

export class Turns {
  private readonly last = new Map<string, Promise<void>>();
  private readonly pieces = new Set<Promise<void>>();
  private free = AT_ONCE;
  private readonly waiting: (() => void)[] = [];

  /** @param key null for work that is ordered with nothing */
  run(key: string | null, work: () => Promise<void>): Promise<void> {
    const before = key === null ? undefined : this.last.get(key);
    const piece = this.afterwards(before, work);
    // What comes next of the key waits for the end of this piece, however it ends.
    const settled = piece.catch(() => undefined);
    this.pieces.add(settled);
    if (key !== null) this.last.set(key, settled);
    void settled.then(() => {
      this.pieces.delete(settled);
      if (key !== null && this.last.get(key) === settled) this.last.delete(key);
    });
    return piece;
  }

  async idle(): Promise<void> {
    while (this.pieces.size > 0) await Promise.all(this.pieces);
  }

  private async afterwards(before: Promise<void> | undefined, work: () => Promise<void>): Promise<void> {
    await before;
    await this.enter();
    try {
      await work();
    } finally {
      this.leave();
    }
  }

  private async enter(): Promise<void> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private leave(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.free += 1;
    else next();
  }
}
