import type { Losses } from './losses.js';

/** What an exporter of the SDK tells of a batch. */
export type Result = { code: number; error?: unknown };

/**
 * Counts what waits for the collector, or is on the way to it: so much at most, so that the SDK itself drops nothing where
 * nobody would see it. What does not come in, or does not arrive, is lost and counted.
 */
export class Waiting {
  private count = 0;
  private isGivenUp = false;

  constructor(
    private readonly most: number,
    private readonly losses: Losses,
  ) {}

  /** @returns whether there is room for one more; where there is none it is lost */
  admit(): boolean {
    if (this.count >= this.most) {
      this.losses.add(1, 'queue_full');
      return false;
    }
    this.count += 1;
    return true;
  }

  exported(items: number, { code, error }: Result): void {
    this.count -= items;
    // 0 is success; the enumeration lives in a package of which nothing else is needed.
    if (code !== 0 && !this.isGivenUp) this.losses.add(items, reasonOf(error));
  }

  /** What still waits counts as lost: nobody will be there to hear more of it. */
  giveUp(): void {
    if (this.count > 0) this.losses.add(this.count, 'closed');
    this.isGivenUp = true;
  }
}

/** The code alone: messages hold addresses, and the body of an answer may hold anything. */
function reasonOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'unknown';
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (typeof code === 'string' || typeof code === 'number') return String(code);
  return typeof name === 'string' ? name : 'unknown';
}
