import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { faultsOf } from '../../src/hub/proof/fault.js';
import { trailsOfDatabase, verify } from '../../src/hub/verify/main.js';
import type { Load } from './load.js';
import type { Fleet } from './fleet.js';

/** What a drill came to. */
export type Figures = {
  commands: number;
  effects: number;
  /** Answers that were no acceptance, and calls without an answer; each was repeated until it was accepted. */
  refused: number;
  givenUp: number;
  lost: number;
  duplicated: number;
  reordered: number;
  irregular: number;
  unknown: number;
  /** Times that a broker changed its owner. */
  moves: number;
  /** Milliseconds without an owner at each move, by the ranges in the database; 0 where one ended as the next began. */
  gapMs: { p50: number; p99: number; max: number };
  acceptMs: { p50: number; p99: number; max: number };
  /** What was refused, each kind once, and which rules were broken. */
  refusals: Record<string, number>;
  byRule: Record<string, number>;
};

// A stay that begins before the one before it ended was a handover as well.
const GAPS = `
  select greatest(0, extract(epoch from began_at - before) * 1000)::float8 as ms
  from (
    select began_at, lag(ended_at) over (partition by broker_id order by epoch) as before,
           lag(epoch) over (partition by broker_id order by epoch) as epoch_before
    from broker_stay
  ) stay
  where epoch_before is not null
  order by 1`;

const LIVE = `select count(*)::int as count from broker_dispatch`;

/** A look into the drill's own database, past the product. */
export class Evidence {
  private constructor(private readonly dataSource: Awaited<ReturnType<typeof connect>>) {}

  static async open(url: string): Promise<Evidence> {
    return new Evidence(await connect(url));
  }

  /** Commands that have not ended. */
  async live(): Promise<number> {
    const [row] = await this.dataSource.query<{ count: number }[]>(LIVE);
    return row?.count ?? 0;
  }

  async gapsMs(): Promise<number[]> {
    const rows = await this.dataSource.query<{ ms: number | null }[]>(GAPS);
    // A stay that has begun while the one before it has no end has left no gap.
    return rows.map(({ ms }) => ms ?? 0);
  }

  async close(): Promise<void> {
    await this.dataSource.destroy();
  }
}

function connect(url: string) {
  return makeDataSource(url, 'fairlead-drill').initialize();
}

/** Holds everything that there is evidence of against what the hub has on record. */
export async function figuresOf(
  folder: string,
  databaseUrl: string,
  evidence: Evidence,
  load: Load,
  fleet: Fleet,
): Promise<Figures> {
  const idOfNote = new Map(
    load.answers.map(({ idempotencyKey, dispatchId }) => [idempotencyKey, dispatchId]),
  );
  const verdict = await verify(trailsOfDatabase(databaseUrl, {}), {
    isSettled: true,
    witnesses: [file(folder, 'effects', fleet.effects(idOfNote))],
    answers: file(folder, 'answers', load.answers),
  });
  const gaps = await evidence.gapsMs();
  return {
    commands: verdict.dispatches,
    effects: verdict.effects ?? 0,
    refused: load.refusals.length,
    givenUp: load.givenUp,
    ...faultsOf(verdict),
    unknown: verdict.unknown,
    moves: gaps.length,
    gapMs: spread(gaps),
    acceptMs: spread(load.latenciesMs),
    refusals: countOf(load.refusals),
    byRule: verdict.byRule,
  };
}

export function spread(values: readonly number[]): { p50: number; p99: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) => Math.round(sorted[Math.ceil(sorted.length * part) - 1] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

function countOf(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) {
    const kind = word.replace(/"(instance|requestId)":"[^"]*"/g, '').slice(0, 120);
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

function file(folder: string, name: string, lines: readonly object[]): string {
  const path = join(folder, `${name}.ndjson`);
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return path;
}
