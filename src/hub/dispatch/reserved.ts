import { SparseMap, SparseSet } from './sparse.js';

/**
 * Commands of a broker that are being stored and may be claimed by that: until it is decided each takes room in the window
 * and in what may be unacked, and holds its ordering key.
 */
export class Reserved {
  private readonly byId = new SparseMap<string, { key: string | null; argsBytes: number }>();
  private readonly keys = new SparseSet<string>();
  /** Of their arguments. */
  bytes = 0;

  get size(): number {
    return this.byId.size;
  }

  has(id: string): boolean {
    return this.byId.has(id);
  }

  holdsKey(key: string): boolean {
    return this.keys.has(key);
  }

  /** @param key one that nothing else holds, or null */
  add(id: string, key: string | null, argsBytes: number): void {
    this.byId.set(id, { key, argsBytes });
    this.bytes += argsBytes;
    if (key !== null) this.keys.add(key);
  }

  remove(id: string): void {
    const reserved = this.byId.get(id);
    if (reserved === undefined) return;
    if (reserved.key !== null) this.keys.delete(reserved.key);
    this.bytes -= reserved.argsBytes;
    this.byId.delete(id);
  }
}
