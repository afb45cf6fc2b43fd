import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as rest } from 'node:timers/promises';
import type { SoakCluster } from './cluster.js';
import type { SoakDatabase } from './database.js';
import { slopeOf } from './slope.js';

const EVERY_MS = 5_000;
/** A process that has just started still grows into what it needs. */
const YOUNG_MS = 30_000;
const LEAST_POINTS = 6;
const KIB = 1024;
const MIB = KIB * KIB;

const TABLES = `
  select (select count(*) from broker_dispatch)::int as live,
         pg_total_relation_size('broker_dispatch')::float8 as bytes,
         (select coalesce(sum(n_dead_tup), 0) from pg_stat_user_tables where relname = 'broker_dispatch')::float8 as dead,
         pg_database_size(current_database())::float8 as "databaseBytes"`;

/** Growth in a minute, of what must not grow without end. Of processes it is the largest of all that lived for long enough. */
export type Growth = {
  replicaMemoryMiBPerMin: number;
  replicaSocketsPerMin: number;
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
    const growing = (series: Iterable<Point[]>) =>
      Math.max(0, ...[...series].filter(({ length }) => length >= LEAST_POINTS).map(slopeOf));
    const most = (series: Iterable<Point[]>) => Math.max(0, ...[...series].flat().map(([, value]) => value));
    const { live, bytes, dead, databaseBytes } = this.tables;
    return {
      replicaMemoryMiBPerMin: rounded(growing(this.memory.values())),
      replicaSocketsPerMin: rounded(growing(this.files.values())),
      liveRowsPerMin: rounded(slopeOf(live)),
      liveTableMiBPerMin: rounded(slopeOf(bytes) / MIB),
      deadTuplesPerMin: rounded(slopeOf(dead)),
      databaseMiBPerMin: rounded(slopeOf(databaseBytes) / MIB),
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
          points.push([at / 60_000, row[name as keyof Samples['tables']]]);
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
      point(this.memory, name, [at / 60_000, Number(resident) / KIB]);
      point(this.files, name, [at / 60_000, readdirSync(`/proc/${pid}/fd`).length]);
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
