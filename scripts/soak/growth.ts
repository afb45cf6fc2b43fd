import { surest, trendOf, type Point, type Trend } from './slope.js';

/** Of the time that is looked at, which part a process must have been seen for. */
const LEAST_PART = 0.5;
/** Nothing is held against a process that was seen for less of it. */
const SEEN_FOR_MIN = 10;
const KIB = 1024;
const MIB = KIB * KIB;

/** What was seen, by time in minutes. */
export type Seen = {
  /** Of each replica, in MiB and in open files. */
  memory: ReadonlyMap<string, readonly Point[]>;
  files: ReadonlyMap<string, readonly Point[]>;
  tables: Record<'live' | 'bytes' | 'dead' | 'databaseBytes', readonly Point[]>;
};

/**
 * Growth in a minute over the last half of the time for which commands came, of what must not grow without end. Of
 * processes it is that of the one that grew most for certain of all that were seen for long enough, and null where none was.
 */
export type Growth = {
  replicaMemoryMiBPerMin: Trend | null;
  replicaSocketsPerMin: Trend | null;
  /** What any replica that was seen for ten minutes of it grew by at the least, with 97.5 % confidence; null where none was, or nothing is known. */
  sure: { replicaMemoryMiBPerMin: number | null; replicaSocketsPerMin: number | null };
  liveRowsPerMin: number;
  liveTableMiBPerMin: number;
  deadTuplesPerMin: number;
  databaseMiBPerMin: number;
  /** The most that was seen. */
  most: { replicaMemoryMiB: number; replicaFiles: number; liveRows: number; liveTableMiB: number };
};

/** @param from when commands began, in minutes @param until when no more were given */
export function growthOf({ memory, files, tables }: Seen, from: number, until: number): Growth {
  const lately = (points: readonly Point[]) =>
    points.filter(([at]) => at >= (from + until) / 2 && at <= until);
  const slope = (points: readonly Point[], unit = 1) => rounded(trendOf(lately(points)).slope / unit);
  const { live, bytes, dead, databaseBytes } = tables;
  const least = lately(live).length * LEAST_PART;
  const trendsOf = (series: Seen['memory'], isLong: (points: readonly Point[]) => boolean) =>
    [...series.values()]
      .map(lately)
      .filter((points) => points.length > 2 && isLong(points))
      .map(trendOf);
  const growing = (series: Seen['memory']): Trend | null => {
    const worst = surest(trendsOf(series, ({ length }) => length >= least));
    if (worst === undefined) return null;
    return { slope: rounded(worst.slope), error: worst.error === null ? null : rounded(worst.error) };
  };
  const sure = (series: Seen['memory']): number | null => {
    const worst = surest(trendsOf(series, (points) => spanOf(points) >= SEEN_FOR_MIN));
    return worst === undefined || worst.error === null ? null : rounded(worst.slope - worst.error);
  };
  return {
    replicaMemoryMiBPerMin: growing(memory),
    replicaSocketsPerMin: growing(files),
    sure: { replicaMemoryMiBPerMin: sure(memory), replicaSocketsPerMin: sure(files) },
    liveRowsPerMin: slope(live),
    liveTableMiBPerMin: slope(bytes, MIB),
    deadTuplesPerMin: slope(dead),
    databaseMiBPerMin: slope(databaseBytes, MIB),
    most: {
      replicaMemoryMiB: rounded(most(memory.values())),
      replicaFiles: most(files.values()),
      liveRows: most([live]),
      liveTableMiB: rounded(most([bytes]) / MIB),
    },
  };
}

function spanOf(points: readonly Point[]): number {
  return (points.at(-1)?.[0] ?? 0) - (points[0]?.[0] ?? 0);
}

function most(series: Iterable<readonly Point[]>): number {
  return Math.max(0, ...[...series].flat().map(([, value]) => value));
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
