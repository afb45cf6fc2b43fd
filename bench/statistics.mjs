/** The arithmetic of the benchmarks: everything between measured figures and printed ones. */

/** The middle of some figures; of an even number of them the mean of the two in the middle. */
export function median(figures) {
  if (figures.length === 0) throw new RangeError('there is no median of nothing');
  const sorted = Float64Array.from(figures).sort();
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The smallest figure that is not exceeded by this share of all, from 0 to 1: nearest rank, nothing interpolated. */
export function percentile(figures, share) {
  if (figures.length === 0) throw new RangeError('there is no percentile of nothing');
  const sorted = Float64Array.from(figures).sort();
  const rank = Math.ceil(share * sorted.length);
  return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1];
}

/** The median of some figures with the lowest and the highest of them. */
export function spread(figures) {
  return { median: median(figures), low: Math.min(...figures), high: Math.max(...figures) };
}

/**
 * The order in which sides take their turns: every other round is run backwards, so that no side is always the first
 * after a pause or always follows the same neighbour.
 *
 * @template T
 * @param {readonly T[]} sides
 * @param {number} rounds
 * @returns {T[][]} one list a round
 */
export function interleaved(sides, rounds) {
  return Array.from({ length: rounds }, (_unused, round) =>
    round % 2 === 0 ? [...sides] : [...sides].reverse(),
  );
}

/**
 * How many times one side's figure is the other's. The figures of one round make one ratio, since they met the same
 * machine at the same time; the median is taken of those ratios and not of the figures.
 */
export function ratios(ours, theirs) {
  if (ours.length !== theirs.length) throw new RangeError('every round needs a figure of either side');
  return spread(ours.map((figure, round) => figure / theirs[round]));
}
