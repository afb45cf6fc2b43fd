import { LIMITS } from '../../protocol/limits.js';
import type { Sent } from './sent.js';
import { SparseMap } from './sparse.js';

/**
 * Arguments that may be unacked of one broker, in bytes: half of what may wait for it, past which it is taken for one that does
 * not read, so that one that reads slowly is not.
 */
export const UNACKED_BYTES_MOST = LIMITS.bufferedBytes / 2;

/** Commands that were sent to a broker, or are about to be, and that its journal is not known to have. */
export class Unacked {
  private readonly rows = new SparseMap<string, Sent>();
  /** Of their arguments, as far as is known. */
  bytes = 0;

  get size(): number {
    return this.rows.size;
  }

  get(id: string): Sent | undefined {
    return this.rows.get(id);
  }

  values(): Iterable<Sent> {
    return this.rows.values();
  }

  add(sent: Sent): void {
    this.remove(sent.id);
    this.rows.set(sent.id, sent);
    this.bytes += sent.argsBytes;
  }

  remove(id: string): void {
    this.bytes -= this.rows.get(id)?.argsBytes ?? 0;
    this.rows.delete(id);
  }
}
