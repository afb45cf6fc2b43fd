import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as rest } from 'node:timers/promises';
import type { SoakCluster } from './cluster.js';
import type { SoakDatabase } from './database.js';
import { growthOf, type Growth, type Seen } from './growth.js';
import type { Point } from './slope.js';

const EVERY_MS = 5_000;
/** Collecting all garbage holds a replica up: for a quarter of a second where it keeps 87 MiB, measured apart. No two are at the same time. */
const WEIGHED_EVERY_MS = 30_000;
/** A process that has just started still grows into what it needs. */
const YOUNG_MS = 30_000;
const MINUTE_MS = 60_000;
const KIB = 1024;
const MIB = KIB * KIB;

const TABLES = `
  select (select count(*) from broker_dispatch)::int as live,
         pg_total_relation_size('broker_dispatch')::float8 as bytes,
         (select coalesce(sum(n_dead_tup), 0) from pg_stat_user_tables where relname = 'broker_dispatch')::float8 as dead,
         pg_database_size(current_database())::float8 as "databaseBytes"`;

/** Looks every few seconds at what may leak. */
export class Samples implements Seen {
  readonly kept = new Map<string, Point[]>();
  readonly compiled = new Map<string, Point[]>();
  readonly memory = new Map<string, Point[]>();
  readonly files = new Map<string, Point[]>();
  private readonly bornAt = new Map<string, number>();
  readonly tables: Record<keyof Seen['tables'], Point[]> = {
    live: [],
    bytes: [],
    dead: [],
    databaseBytes: [],
  };
  private readonly over = new AbortController();
  private looking: Promise<void> | undefined;
  private readonly weighedAt = new Map<string, number>();
  /** How many of its weights each replica had told of. */
  private readonly weights = new Map<string, number>();
  private readonly beganAt = performance.now();

  constructor(
    private readonly cluster: SoakCluster,
    private readonly database: SoakDatabase,
  ) {}

  start(): void {
    this.looking = this.look();
  }

  /** To be asked when no more commands are given: without load a replica shrinks. */
  async stop(): Promise<Growth> {
    const endedAt = performance.now();
    this.over.abort();
    await this.looking;
    return growthOf(this, this.beganAt / MINUTE_MS, endedAt / MINUTE_MS);
  }

  private async look(): Promise<void> {
    const { signal } = this.over;
    while (!signal.aborted) {
      const at = performance.now();
      for (const { name, program, keptIn } of this.cluster.replicas) {
        this.lookAt(name, program.pid, at);
        this.weightsOf(name, keptIn, at);
      }
      this.weigh(at);
      const [row] = await this.database.query<Record<keyof Seen['tables'], number>>(TABLES).catch(() => []);
      if (row !== undefined) {
        for (const [name, points] of Object.entries(this.tables)) {
          points.push([at / MINUTE_MS, row[name as keyof Seen['tables']]]);
        }
      }
      await rest(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private weigh(at: number): void {
    const weighedAt = ({ name }: { name: string }) => this.weighedAt.get(name) ?? -Infinity;
    const [next] = [...this.cluster.replicas].sort((one, other) => weighedAt(one) - weighedAt(other));
    if (next === undefined || at - weighedAt(next) < WEIGHED_EVERY_MS) return;
    this.weighedAt.set(next.name, at);
    next.program.weigh();
  }

  /** What it told since it was last looked at: one that stands still tells later. */
  private weightsOf(name: string, keptIn: string | undefined, at: number): void {
    if (keptIn === undefined || !existsSync(keptIn)) return;
    const told = readFileSync(keptIn, 'utf8').split('\n').slice(0, -1);
    const since = this.isYoung(name, at) ? [] : told.slice(this.weights.get(name) ?? 0);
    for (const line of since) {
      const [kept = NaN, compiled = NaN] = line.split(' ').map(Number);
      point(this.kept, name, [at / MINUTE_MS, kept / MIB]);
      point(this.compiled, name, [at / MINUTE_MS, compiled / MIB]);
    }
    this.weights.set(name, told.length);
  }

  private isYoung(name: string, at: number): boolean {
    const bornAt = this.bornAt.get(name) ?? at;
    this.bornAt.set(name, bornAt);
    return at - bornAt < YOUNG_MS;
  }

  /** Where the system does not tell, nothing is known of processes. */
  private lookAt(name: string, pid: number, at: number): void {
    if (this.isYoung(name, at)) return;
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
