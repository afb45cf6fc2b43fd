import { ranksOf } from '../support/spread.js';

/**
 * What changes with time: by how much in a unit of it, and how far off that may be by chance, with 95 % confidence; null where there is
 * too little to tell.
 */
export type Trend = { slope: number; error: number | null };
export type Point = readonly [at: number, value: number];

/** Nothing is told of fewer points than leave two degrees of freedom: the error would be wider than anything that is measured. */
const TELLING_LEAST = 4;
/** What the normal distribution exceeds in 2.5 of 100 cases, and in as many for one of 2, 3 ... 9 at once (Bonferroni). */
const NORMAL = [1.959964, 2.241403, 2.39398, 2.497705, 2.575829, 2.638257, 2.69011, 2.734369, 2.772921];

/**
 * The straight line that fits best (least squares). Its error is the standard error times Student's t, both for as many points
 * as there would be if each said something new: samples of one process resemble those before them (the correction for the
 * autocorrelation of residuals of Santer et al., "Statistical significance of trends and trend differences in layer-average
 * atmospheric temperature time series", 2000, with what a short series hides of it: Marriott and Pope, "Bias in the estimation of
 * autocorrelations", 1954). Where that leaves about six, one of three that do not grow seems to in 6 of 100 cases still.
 *
 * @param among how many series are looked at of which the one that grows most for certain is told: an error that chance keeps to in 95
 *   of 100 for one is passed by one of three in 14
 */
export function trendOf(points: readonly Point[], among = 1): Trend {
  const count = points.length;
  if (count < 3) return { slope: 0, error: null };
  const meanAt = meanOf(points.map(([at]) => at));
  const mean = meanOf(points.map(([, value]) => value));
  let [above, below] = [0, 0];
  for (const [at, value] of points) {
    above += (at - meanAt) * (value - mean);
    below += (at - meanAt) ** 2;
  }
  if (below === 0) return { slope: 0, error: null };
  const slope = above / below;
  const off = points.map(([at, value]) => value - mean - slope * (at - meanAt));
  const squares = off.reduce((sum, each) => sum + each ** 2, 0);
  if (squares === 0) return { slope, error: 0 };
  const together = off.slice(1).reduce((sum, each, place) => sum + each * (off[place] ?? 0), 0);
  const seen = together / squares;
  const alike = Math.min(1, Math.max(0, seen + (1 + 3 * seen) / count));
  const telling = (count * (1 - alike)) / (1 + alike);
  if (telling < TELLING_LEAST) return { slope, error: null };
  const freedom = telling - 2;
  return { slope, error: studentsT(freedom, among) * Math.sqrt(squares / freedom / below) };
}

/** Of several the one that grew most for certain: a larger slope that is known less well would hide it. */
export function surest(trends: readonly Trend[]): Trend | undefined {
  const atLeast = ({ slope, error }: Trend) => (error === null ? -Infinity : slope - error);
  return trends.reduce<Trend | undefined>(
    (worst, trend) => (worst === undefined || atLeast(trend) > atLeast(worst) ? trend : worst),
    undefined,
  );
}

/**
 * By how much a series rose in a unit of time at the least, whatever its shape: from the most of its first third to the least of its
 * last. A straight line tells little of what grows in a step, or along a curve.
 */
export function riseOf(points: readonly Point[]): number {
  const third = Math.floor(points.length / 3);
  if (third === 0) return -Infinity;
  const [first, last] = [points.slice(0, third), points.slice(-third)];
  const between = meanOf(last.map(([at]) => at)) - meanOf(first.map(([at]) => at));
  const rise = Math.min(...last.map(([, value]) => value)) - Math.max(...first.map(([, value]) => value));
  return rise / between;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * What Student's t exceeds in 2.5 of 100 cases, from the normal distribution (Abramowitz and Stegun, "Handbook of Mathematical
 * Functions", 26.7.5): for one value 0.8 % too small at two degrees of freedom, and nearly none from four on; for one of three 2.6 % at two.
 *
 * @param among of how many such values one exceeds it in as many cases at most; nine, where there are more
 */
export function studentsT(freedom: number, among = 1): number {
  const x = NORMAL[Math.min(among, NORMAL.length) - 1] ?? Infinity;
  return (
    x +
    (x ** 3 + x) / 4 / freedom +
    (5 * x ** 5 + 16 * x ** 3 + 3 * x) / 96 / freedom ** 2 +
    (3 * x ** 7 + 19 * x ** 5 + 17 * x ** 3 - 15 * x) / 384 / freedom ** 3 +
    (79 * x ** 9 + 776 * x ** 7 + 1482 * x ** 5 - 1920 * x ** 3 - 945 * x) / 92_160 / freedom ** 4
  );
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
