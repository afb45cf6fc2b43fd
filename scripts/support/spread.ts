/** Nearest rank, nothing interpolated: the least whole value that so large a share does not exceed; 0 of nothing. */
export function ranksOf(values: readonly number[]): (share: number) => number {
  const sorted = Float64Array.from(values).sort();
  return (share) => Math.round(sorted[Math.max(1, Math.ceil(sorted.length * share)) - 1] ?? 0);
}

/** How often each word is there. */
export function countOf<T extends string>(words: readonly T[]): Partial<Record<T, number>> {
  const counts: Partial<Record<T, number>> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
