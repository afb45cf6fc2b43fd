import type { JsonObject } from '../../protocol/frame.js';
import { SparseMap } from './sparse.js';
import type { Contract, Lane } from './state.js';

/** A pending row of one broker, as its owner keeps it in memory. */
export type Waiting = {
  id: string;
  seq: number;
  op: string;
  lane: Lane;
  orderingKey: string | null;
  contract: Contract;
  /** null where they are read after the claim. */
  args: JsonObject | null;
  /** Of the arguments, wherever they are: no less than they take on the wire, but for what JSON escapes. */
  argsBytes: number;
  /** By this process's clock: not to be sent sooner. */
  dueAt: number;
  /** Whether it keeps its ordering key until then. */
  restsWithKey: boolean;
  cancelRequested: boolean;
  traceparent: string | null;
};

/** The pending rows of one broker in the order of their `seq`, which is sorted for only when it is asked for. */
export class WaitingRows {
  private readonly rows = new SparseMap<string, Waiting>();
  /** As far as they are still waiting. */
  private ordered: Waiting[] = [];
  private isOrdered = true;

  get size(): number {
    return this.rows.size;
  }

  /** Infinity where there is none. */
  get lowestSeq(): number {
    let lowest = Infinity;
    for (const { seq } of this.rows.values()) lowest = Math.min(lowest, seq);
    return lowest;
  }

  has(id: string): boolean {
    return this.rows.has(id);
  }

  get(id: string): Waiting | undefined {
    return this.rows.get(id);
  }

  values(): Iterable<Waiting> {
    return this.rows.values();
  }

  add(row: Waiting): void {
    this.rows.set(row.id, row);
    this.isOrdered &&= (this.ordered.at(-1)?.seq ?? 0) < row.seq;
    if (this.isOrdered) this.ordered.push(row);
  }

  delete(id: string): void {
    this.rows.delete(id);
  }

  inOrder(): readonly Waiting[] {
    if (!this.isOrdered) {
      this.ordered = [...this.rows.values()].sort((a, b) => a.seq - b.seq);
      this.isOrdered = true;
    } else if (this.ordered.length !== this.rows.size) {
      this.ordered = this.ordered.filter((row) => this.rows.get(row.id) === row);
    }
    return this.ordered;
  }
}
