import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as rest } from 'node:timers/promises';
import type { SoakCluster } from './cluster.js';
import type { SoakDatabase } from './database.js';
import { trendOf, type Trend } from './slope.js';

const EVERY_MS = 5_000;
/** A process that has just started still grows into what it needs. */
const YOUNG_MS = 30_000;
/** Of the time that is looked at, which part a process must have lived for. */
const LEAST_PART = 0.5;
const MINUTE_MS = 60_000;
const KIB = 1024;
const MIB = KIB * KIB;

const TABLES = `
  select (select count(*) from broker_dispatch)::int as live,
         pg_total_relation_size('broker_dispatch')::float8 as bytes,
         (select coalesce(sum(n_dead_tup), 0) from pg_stat_user_tables where relname = 'broker_dispatch')::float8 as dead,
         pg_database_size(current_database())::float8 as "databaseBytes"`;

/**
 * Growth in a minute over the last half of the run, of what must not grow without end. Of processes it is the largest of
 * all that lived for long enough, and null where none did.
 */
export type Growth = {
  replicaMemoryMiBPerMin: Trend | null;
  replicaSocketsPerMin: Trend | null;
  liveRowsPerMin: number;
  liveTableMiBPerMin: number;
  deadTuplesPerMin: number;
  databaseMiBPerMin: number;
  /** The most that was seen. */
  most: { replicaMemoryMiB: number; replicaFiles: number; liveRows: number; liveTableMiB: number };
};

type Point = [at: number, value: number];

/** Looks every few seconds at what may leak. */
export class Samples {
  private readonly memory = new Map<string, Point[]>();
  private readonly files = new Map<string, Point[]>();
  private readonly bornAt = new Map<string, number>();
  private readonly tables: Record<'live' | 'bytes' | 'dead' | 'databaseBytes', Point[]> = {
    live: [],
    bytes: [],
    dead: [],
    databaseBytes: [],
  };
  private readonly over = new AbortController();
  private looking: Promise<void> | undefined;
  private readonly beganAt = performance.now();

  constructor(
    private readonly cluster: SoakCluster,
    private readonly database: SoakDatabase,
  ) {}

  start(): void {
    this.looking = this.look();
  }

  async stop(): Promise<Growth> {
    this.over.abort();
    await this.looking;
    const half = (this.beganAt + performance.now()) / 2 / MINUTE_MS;
    const lately = (points: Point[]) => points.filter(([at]) => at >= half);
    const slope = (points: Point[], unit = 1) => rounded(trendOf(lately(points)).slope / unit);
    const most = (series: Iterable<Point[]>) => Math.max(0, ...[...series].flat().map(([, value]) => value));
    const { live, bytes, dead, databaseBytes } = this.tables;
    const least = lately(live).length * LEAST_PART;
    const growing = (series: Iterable<Point[]>): Trend | null => {
      const trends = [...series]
        .map(lately)
        .filter(({ length }) => length > 2 && length >= least)
        .map(trendOf);
      const [worst] = trends.sort((one, other) => other.slope - one.slope);
      return worst === undefined ? null : { slope: rounded(worst.slope), error: rounded(worst.error) };
    };
    return {
      replicaMemoryMiBPerMin: growing(this.memory.values()),
      replicaSocketsPerMin: growing(this.files.values()),
      liveRowsPerMin: slope(live),
      liveTableMiBPerMin: slope(bytes, MIB),
      deadTuplesPerMin: slope(dead),
      databaseMiBPerMin: slope(databaseBytes, MIB),
      most: {
        replicaMemoryMiB: rounded(most(this.memory.values())),
        replicaFiles: most(this.files.values()),
        liveRows: most([live]),
        liveTableMiB: rounded(most([bytes]) / MIB),
      },
    };
  }

  private async look(): Promise<void> {
    const { signal } = this.over;
    while (!signal.aborted) {
      const at = performance.now();
      for (const { name, program } of this.cluster.replicas) this.lookAt(name, program.pid, at);
      const [row] = await this.database
        .query<Record<keyof Samples['tables'], number>>(TABLES)
        .catch(() => []);
      if (row !== undefined) {
        for (const [name, points] of Object.entries(this.tables)) {
          points.push([at / MINUTE_MS, row[name as keyof Samples['tables']]]);
        }
      }
      await rest(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Where the system does not tell, nothing is known of processes. */
  private lookAt(name: string, pid: number, at: number): void {
    const bornAt = this.bornAt.get(name) ?? at;
    this.bornAt.set(name, bornAt);
    if (at - bornAt < YOUNG_MS) return;
    try {
      const [, resident = '0'] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
      point(this.memory, name, [at / MINUTE_MS, Number(resident) / KIB]);
      point(this.files, name, [at / MINUTE_MS, readdirSync(`/proc/${pid}/fd`).length]);
    } catch {
      return;
    }
  }
}

function point(series: Map<string, Point[]>, name: string, one: Point): void {
  const points = series.get(name) ?? [];
  points.push(one);
  series.set(name, points);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
