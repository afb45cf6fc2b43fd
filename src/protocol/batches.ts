import { LIMITS } from './limits.js';

/**
 * Splits items into lists that each fit a frame: at most `LIMITS.batch` items, and at most the given bytes by
 * the sizes that the caller knows. An item that is over the size on its own stands alone; keeping it under is
 * the caller's duty.
 *
 * @param sizeOf bytes of one encoded item; nobody asks for that of one that is alone
 */
export function batches<T>(
  items: readonly T[],
  sizeOf: (item: T) => number = () => 0,
  bytes: number = LIMITS.frameBytes - LIMITS.helloBytes,
): T[][] {
  // It stands alone whatever its size, and to measure one may take as long as to send it.
  if (items.length === 1) return [[...items]];
  const lists: T[][] = [];
  let current: T[] = [];
  let size = 0;
  for (const item of items) {
    const next = sizeOf(item);
    if (current.length > 0 && (current.length === LIMITS.batch || size + next > bytes)) {
      lists.push(current);
      current = [];
      size = 0;
    }
    current.push(item);
    size += next;
  }
  if (current.length > 0) lists.push(current);
  return lists;
}
