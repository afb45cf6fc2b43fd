import { ranksOf } from '../support/spread.js';

/** What changes with time: by how much in a unit of it, and how far off that may be by chance, with 95 % confidence. */
export type Trend = { slope: number; error: number };

/**
 * The straight line that fits best (least squares). Its error is twice the standard error, for as many points as there
 * would be if each said something new: samples of one process resemble those before them (the correction for the
 * autocorrelation of residuals of Santer et al., "Statistical significance of trends and trend differences in layer-average
 * atmospheric temperature time series", 2000).
 */
export function trendOf(points: readonly (readonly [at: number, value: number])[]): Trend {
  const count = points.length;
  if (count < 3) return { slope: 0, error: Infinity };
  const meanAt = points.reduce((sum, [at]) => sum + at, 0) / count;
  const mean = points.reduce((sum, [, value]) => sum + value, 0) / count;
  let [above, below] = [0, 0];
  for (const [at, value] of points) {
    above += (at - meanAt) * (value - mean);
    below += (at - meanAt) ** 2;
  }
  if (below === 0) return { slope: 0, error: Infinity };
  const slope = above / below;
  const off = points.map(([at, value]) => value - mean - slope * (at - meanAt));
  const squares = off.reduce((sum, each) => sum + each ** 2, 0);
  if (squares === 0) return { slope, error: 0 };
  const together = off.slice(1).reduce((sum, each, place) => sum + each * (off[place] ?? 0), 0);
  const alike = Math.max(0, together / squares);
  const telling = (count * (1 - alike)) / (1 + alike);
  return { slope, error: telling > 2 ? 2 * Math.sqrt(squares / (telling - 2) / below) : Infinity };
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
