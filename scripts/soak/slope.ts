import { ranksOf } from '../support/spread.js';

/** By how much something grows in a unit of time, as the straight line that fits best tells (least squares). */
export function slopeOf(points: readonly (readonly [at: number, value: number])[]): number {
  const count = points.length;
  if (count < 2) return 0;
  const meanAt = points.reduce((sum, [at]) => sum + at, 0) / count;
  const mean = points.reduce((sum, [, value]) => sum + value, 0) / count;
  let [above, below] = [0, 0];
  for (const [at, value] of points) {
    above += (at - meanAt) * (value - mean);
    below += (at - meanAt) ** 2;
  }
  return below === 0 ? 0 : above / below;
}

/** As `ranksOf` has them. */
export function spreadOf(values: readonly number[]): {
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
} {
  const at = ranksOf(values);
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) };
}
