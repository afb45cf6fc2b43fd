import { Remembered } from './remembered.js';

const MOST = 10_000;
const FOUND_FOR_MS = 30_000;
const MISSED_FOR_MS = 5_000;

export type Found<V> = {
  value: V;
  /** Milliseconds after which it must be looked up again, however long an answer may be kept. */
  forMs: number;
};

/**
 * Look-ups whose answers may be up to 30 s old. Both kinds of answer are bounded in number and in age, apart from
 * each other, so that a flood of unknown keys neither grows without end nor pushes out what is known; callers who
 * ask for the same key at the same time share one look-up. A look-up that fails is never an answer.
 */
export class LookUps<V> {
  private readonly found: Remembered<V>;
  private readonly missed: Remembered<true>;
  private readonly pending = new Map<string, Promise<V | undefined>>();

  constructor(
    private readonly load: (key: string) => Promise<Found<V> | undefined>,
    clockMs: () => number = () => performance.now(),
  ) {
    this.found = new Remembered(MOST, clockMs);
    this.missed = new Remembered(MOST, clockMs);
  }

  /** The value, or undefined where there is none. @throws what the look-up throws */
  find(key: string): Promise<V | undefined> {
    const known = this.found.get(key);
    if (known !== undefined) return Promise.resolve(known);
    if (this.missed.get(key) !== undefined) return Promise.resolve(undefined);
    return this.pending.get(key) ?? this.begin(key);
  }

  /** From here on the key is looked up anew; an answer that is under way is given but not kept. */
  forget(key: string): void {
    this.found.delete(key);
    this.pending.delete(key);
  }

  /** The same for all keys with such a value. What is under way might have one, and what was missed may be there now. */
  forgetWhere(holds: (value: V) => boolean): void {
    this.found.deleteWhere(holds);
    this.missed.deleteWhere(() => true);
    this.pending.clear();
  }

  private begin(key: string): Promise<V | undefined> {
    const search = this.load(key).then(
      (found) => {
        if (this.settled(key, search)) this.keep(key, found);
        return found?.value;
      },
      (error: unknown) => {
        this.settled(key, search);
        throw error;
      },
    );
    this.pending.set(key, search);
    return search;
  }

  private keep(key: string, found: Found<V> | undefined): void {
    if (found === undefined) this.missed.set(key, true, MISSED_FOR_MS);
    else this.found.set(key, found.value, Math.min(FOUND_FOR_MS, found.forMs));
  }

  /** @returns false where the key was forgotten, and perhaps asked for again, while this look-up was under way */
  private settled(key: string, search: Promise<V | undefined>): boolean {
    return this.pending.get(key) === search && this.pending.delete(key);
  }
}
