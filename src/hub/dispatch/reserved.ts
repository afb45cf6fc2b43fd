import { SparseMap, SparseSet } from './sparse.js';

/**
 * Commands of a broker that are being stored and may be claimed by that: until it is decided each takes room in the window
 * and holds its ordering key.
 */
export class Reserved {
  private readonly byId = new SparseMap<string, string | null>();
  private readonly keys = new SparseSet<string>();

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
  add(id: string, key: string | null): void {
    this.byId.set(id, key);
    if (key !== null) this.keys.add(key);
  }

  remove(id: string): void {
    const key = this.byId.get(id) ?? null;
    if (key !== null) this.keys.delete(key);
    this.byId.delete(id);
  }
}
