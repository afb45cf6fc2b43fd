/**
 * Looks for fewer faults that are enough, first none at all, then by leaving out ever smaller parts (delta debugging, after
 * Zeller and Hildebrandt, 2002). What fails by chance may pass once: the result is small, and not always the smallest.
 *
 * @param fails whether these alone still fail; asked at most so many times
 * @returns as few as were found to fail, in their order
 */
export async function shrink<T>(
  items: readonly T[],
  fails: (items: readonly T[]) => Promise<boolean>,
  triesMost: number,
): Promise<readonly T[]> {
  if (items.length === 0 || triesMost === 0) return items;
  if (await fails([])) return [];
  let least = items;
  let parts = 2;
  let tries = 1;
  while (least.length > 1 && parts <= least.length) {
    const size = Math.ceil(least.length / parts);
    let found: readonly T[] | undefined;
    for (let from = 0; from < least.length && found === undefined; from += size) {
      const without = [...least.slice(0, from), ...least.slice(from + size)];
      if (without.length === 0) continue;
      if (tries === triesMost) return least;
      tries += 1;
      if (await fails(without)) found = without;
    }
    if (found === undefined) {
      if (size === 1) return least;
      parts = Math.min(least.length, parts * 2);
    } else {
      least = found;
      parts = Math.max(2, parts - 1);
    }
  }
  return least;
}
