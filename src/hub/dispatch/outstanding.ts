import { SparseMap } from './sparse.js';
import type { Lane } from './state.js';

/** A cancel that was not answered is sent again after this long. */
const ASK_AGAIN_MS = 5_000;

/** A claimed or running row, as far as its owner must know it. `deadlineAt` is by this process's clock. */
export type OutRow = {
  id: string;
  seq: number;
  op: string;
  lane: Lane;
  orderingKey: string | null;
  attempt: number;
  deadlineAt: number;
  cancelRequested: boolean;
};

type Held = OutRow & { askedAt: number };

/** The rows that are out with one broker: which ordering keys they hold, and which of them are to be stopped. */
export class Outstanding {
  private readonly rows = new SparseMap<string, Held>();
  private readonly keys = new SparseMap<string, string>();

  get size(): number {
    return this.rows.size;
  }

  get ids(): string[] {
    return [...this.rows.keys()];
  }

  get all(): OutRow[] {
    return [...this.rows.values()];
  }

  get lowestSeq(): number {
    let lowest = Infinity;
    for (const { seq } of this.rows.values()) lowest = Math.min(lowest, seq);
    return lowest;
  }

  has(id: string): boolean {
    return this.rows.has(id);
  }

  /** Whether it is known to be out under this very attempt. */
  isHeld(id: string, attempt: number): boolean {
    return this.rows.get(id)?.attempt === attempt;
  }

  holdsKey(key: string): boolean {
    return this.keys.has(key);
  }

  add(row: OutRow, holdsKey: boolean): void {
    const { id, seq, op, lane, orderingKey, attempt, deadlineAt, cancelRequested } = row;
    const askedAt = this.rows.get(id)?.askedAt ?? -Infinity;
    this.rows.set(id, { id, seq, op, lane, orderingKey, attempt, deadlineAt, cancelRequested, askedAt });
    if (orderingKey === null) return;
    if (holdsKey) this.keys.set(orderingKey, id);
    else this.freeKey(id);
  }

  freeKey(id: string): void {
    const key = this.rows.get(id)?.orderingKey ?? null;
    if (key !== null && this.keys.get(key) === id) this.keys.delete(key);
  }

  remove(id: string): void {
    this.freeKey(id);
    this.rows.delete(id);
  }

  cancelRequested(id: string): void {
    const row = this.rows.get(id);
    if (row !== undefined) row.cancelRequested = true;
  }

  /** By the row, whose deadline counts: what was told of it may have been late. */
  mustEndBy(id: string, deadlineAt: number): void {
    const row = this.rows.get(id);
    if (row !== undefined) row.deadlineAt = Math.min(row.deadlineAt, deadlineAt);
  }

  isGivenUp(id: string): boolean {
    return this.rows.get(id)?.cancelRequested === true;
  }

  /** What the broker must be asked to stop: its caller gave it up, or its deadline has passed. Each once a period. */
  toStop(now: number): OutRow[] {
    const due = [...this.rows.values()].filter(
      ({ cancelRequested, deadlineAt, askedAt }) =>
        (cancelRequested || deadlineAt <= now) && now - askedAt >= ASK_AGAIN_MS,
    );
    for (const row of due) row.askedAt = now;
    return due;
  }
}
