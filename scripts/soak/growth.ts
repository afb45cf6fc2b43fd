import { riseOf, surest, trendOf, type Point, type Trend } from './slope.js';

/** Of the time that is looked at, which part a process must have been seen for. */
const LEAST_PART = 0.5;
/** Nothing is held against a process that was seen for less of it. */
const SEEN_FOR_MIN = 10;
const KIB = 1024;
const MIB = KIB * KIB;

/** Of each replica by its name. */
type Series = ReadonlyMap<string, readonly Point[]>;

/** What was seen, by time in minutes. */
export type Seen = {
  /** What a replica keeps once its garbage is collected, the code that V8 made of it, and what it holds of the system, in MiB; and its open files. */
  kept: Series;
  compiled: Series;
  memory: Series;
  files: Series;
  live: readonly Point[];
  databaseBytes: readonly Point[];
  /** Of each table by its name; the days of the history are one. */
  tables: ReadonlyMap<string, TableSeen>;
};

/** Rows by the server's own count, those of them that are dead, and bytes with all indexes. */
export type TableSeen = Record<'rows' | 'dead' | 'bytes', readonly Point[]>;

/** Of one table, in a minute, and what it came to. */
export type TableGrowth = {
  name: string;
  rowsPerMin: number;
  deadPerMin: number;
  mibPerMin: number;
  mib: number;
};

const LIVE_TABLE = 'broker_dispatch';
const NOTHING_SEEN: TableSeen = { rows: [], dead: [], bytes: [] };

/** Of one replica, each in a minute. */
export type ReplicaGrowth = {
  name: string;
  forMin: number;
  keptMiB: Trend;
  compiledMiB: Trend;
  memoryMiB: Trend;
  files: Trend;
};

/** What replicas grow by: kept memory, memory of the system, open files. */
type OfReplicas<T> = { replicaKeptMiBPerMin: T; replicaMemoryMiBPerMin: T; replicaSocketsPerMin: T };

/**
 * Growth in a minute over the last half of the time for which commands came, of what must not grow without end. Of
 * processes it is that of the one that grew most for certain of all that were seen for long enough, and null where none was.
 */
export type Growth = OfReplicas<Trend | null> & {
  /** What any replica that was seen for ten minutes of it grew by at the least, with 97.5 % confidence for all together; null where none was. */
  sure: OfReplicas<number | null>;
  /** All that were seen for half of it, each for itself: over several runs their mean tells more than the worst of each. */
  replicas: ReplicaGrowth[];
  liveRowsPerMin: number;
  liveTableMiBPerMin: number;
  deadTuplesPerMin: number;
  databaseMiBPerMin: number;
  /** Those that hold anything, the one that grew most first. */
  tables: TableGrowth[];
  /** The most that was seen. */
  most: {
    replicaKeptMiB: number;
    replicaMemoryMiB: number;
    replicaFiles: number;
    liveRows: number;
    liveTableMiB: number;
  };
};

/** @param from when commands began, in minutes @param until when no more were given */
export function growthOf(
  { kept, compiled, memory, files, live, databaseBytes, tables }: Seen,
  from: number,
  until: number,
): Growth {
  const middle = (from + until) / 2;
  const lately = (points: readonly Point[]) => points.filter(([at]) => at >= middle && at <= until);
  const slope = (points: readonly Point[], unit = 1) => rounded(trendOf(lately(points)).slope / unit);
  const { bytes, dead } = tables.get(LIVE_TABLE) ?? NOTHING_SEEN;
  const seenFor = (series: Series, leastMin: number) =>
    [...series]
      .map(([name, points]) => ({ name, points: lately(points) }))
      .filter(({ points }) => points.length > 2 && spanOf(points) >= leastMin);
  const leastMin = spanOf(lately(live)) * LEAST_PART;
  const ofReplicas = <T>(what: (series: Series) => T): OfReplicas<T> => ({
    replicaKeptMiBPerMin: what(kept),
    replicaMemoryMiBPerMin: what(memory),
    replicaSocketsPerMin: what(files),
  });
  const trendIn = (series: Series, name: string) => roundedTrend(trendOf(lately(series.get(name) ?? [])));
  return {
    ...ofReplicas((series) => worstOf(seenFor(series, leastMin).map(({ points }) => points))),
    sure: ofReplicas((series) => sureOf(seenFor(series, SEEN_FOR_MIN).map(({ points }) => points))),
    replicas: seenFor(memory, leastMin).map(({ name, points }) => ({
      name,
      forMin: rounded(spanOf(points)),
      keptMiB: trendIn(kept, name),
      compiledMiB: trendIn(compiled, name),
      memoryMiB: trendIn(memory, name),
      files: trendIn(files, name),
    })),
    liveRowsPerMin: slope(live),
    liveTableMiBPerMin: slope(bytes, MIB),
    deadTuplesPerMin: slope(dead),
    databaseMiBPerMin: slope(databaseBytes, MIB),
    tables: [...tables]
      .map(([name, table]) => ({
        name,
        rowsPerMin: slope(table.rows),
        deadPerMin: slope(table.dead),
        mibPerMin: slope(table.bytes, MIB),
        mib: rounded((table.bytes.at(-1)?.[1] ?? 0) / MIB),
      }))
      .sort((one, other) => other.mibPerMin - one.mibPerMin),
    most: {
      replicaKeptMiB: rounded(most(kept.values())),
      replicaMemoryMiB: rounded(most(memory.values())),
      replicaFiles: most(files.values()),
      liveRows: most([live]),
      liveTableMiB: rounded(most([bytes]) / MIB),
    },
  };
}

function worstOf(series: readonly (readonly Point[])[]): Trend | null {
  const worst = surest(series.map((points) => trendOf(points, series.length)));
  return worst === undefined ? null : roundedTrend(worst);
}

function sureOf(series: readonly (readonly Point[])[]): number | null {
  if (series.length === 0) return null;
  const least = series.map((points) => {
    const { slope, error } = trendOf(points, series.length);
    return Math.max(riseOf(points), error === null ? -Infinity : slope - error);
  });
  return rounded(Math.max(...least));
}

function spanOf(points: readonly Point[]): number {
  return (points.at(-1)?.[0] ?? 0) - (points[0]?.[0] ?? 0);
}

function most(series: Iterable<readonly Point[]>): number {
  return Math.max(0, ...[...series].flat().map(([, value]) => value));
}

function roundedTrend({ slope, error }: Trend): Trend {
  return { slope: rounded(slope), error: error === null ? null : rounded(error) };
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
