import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as rest } from 'node:timers/promises';
import type { SoakCluster } from './cluster.js';
import type { SoakDatabase } from './database.js';
import { growthOf, type Growth, type Seen, type TableSeen } from './growth.js';
import type { Point } from './slope.js';

const EVERY_MS = 5_000;
/** Collecting all garbage holds a replica up: for a quarter of a second where it keeps 87 MiB, measured apart. No two are at the same time. */
const WEIGHED_EVERY_MS = 30_000;
/** A process that has just started still grows into what it needs. */
const YOUNG_MS = 30_000;
const MINUTE_MS = 60_000;
const KIB = 1024;
const MIB = KIB * KIB;

const WHOLE = `
  select (select count(*) from broker_dispatch)::int as live,
         pg_database_size(current_database())::float8 as "databaseBytes"`;
// Those that nothing was ever put into are left out.
const TABLES = `
  select regexp_replace(relname, '^(broker_dispatch_history)_.*', '\\1') as name,
         sum(n_live_tup)::float8 as rows,
         sum(n_dead_tup)::float8 as dead,
         sum(pg_total_relation_size(relid))::float8 as bytes
  from pg_stat_user_tables
  where n_tup_ins > 0
  group by 1`;

/** Looks every few seconds at what may leak. */
export class Samples implements Seen {
  readonly kept = new Map<string, Point[]>();
  readonly compiled = new Map<string, Point[]>();
  readonly memory = new Map<string, Point[]>();
  readonly files = new Map<string, Point[]>();
  private readonly bornAt = new Map<string, number>();
  readonly live: Point[] = [];
  readonly databaseBytes: Point[] = [];
  readonly tables = new Map<string, Record<keyof TableSeen, Point[]>>();
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
      await this.measure(at / MINUTE_MS).catch(() => undefined);
      await rest(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** @throws where the database is away */
  private async measure(atMin: number): Promise<void> {
    const [whole] = await this.database.query<{ live: number; databaseBytes: number }>(WHOLE);
    if (whole !== undefined) {
      this.live.push([atMin, whole.live]);
      this.databaseBytes.push([atMin, whole.databaseBytes]);
    }
    type Row = { name: string; rows: number; dead: number; bytes: number };
    for (const { name, ...row } of await this.database.query<Row>(TABLES)) {
      const seen = this.tables.get(name) ?? { rows: [], dead: [], bytes: [] };
      this.tables.set(name, seen);
      seen.rows.push([atMin, row.rows]);
      seen.dead.push([atMin, row.dead]);
      seen.bytes.push([atMin, row.bytes]);
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
