/**
 * Collections that are mostly empty: a replica holds ten thousand brokers, each with several of them, and at any moment few
 * have anything to do. An empty `Map` takes as much memory as four entries, one of these as much as a number.
 */

const NOTHING = new Map<never, never>();

/** A `Map` that takes no memory of its own while there is nothing in it. */
export class SparseMap<K, V> {
  private entries: Map<K, V> | undefined;

  get size(): number {
    return this.entries === undefined ? 0 : this.entries.size;
  }

  get(key: K): V | undefined {
    return this.entries?.get(key);
  }

  has(key: K): boolean {
    return this.entries !== undefined && this.entries.has(key);
  }

  set(key: K, value: V): void {
    this.entries ??= new Map();
    this.entries.set(key, value);
  }

  delete(key: K): void {
    if (this.entries?.delete(key) === true && this.entries.size === 0) this.entries = undefined;
  }

  /** In the order in which they came; what is looked at may be deleted meanwhile. */
  keys(): MapIterator<K> {
    return (this.entries ?? NOTHING).keys();
  }

  /** As `keys`. */
  values(): MapIterator<V> {
    return (this.entries ?? NOTHING).values();
  }
}

/** A `Set` that takes no memory of its own while there is nothing in it. */
export class SparseSet<T> {
  private members: Set<T> | undefined;

  has(member: T): boolean {
    return this.members !== undefined && this.members.has(member);
  }

  add(member: T): void {
    this.members ??= new Set();
    this.members.add(member);
  }

  delete(member: T): void {
    if (this.members?.delete(member) === true && this.members.size === 0) this.members = undefined;
  }

  clear(): void {
    this.members = undefined;
  }
}
