import { setTimeout as rest } from 'node:timers/promises';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { faultsOf } from '../../src/hub/proof/fault.js';
import { trailsOfDatabase, verify } from '../../src/hub/verify/main.js';
import { writeLines } from '../support/json-lines.js';
import { countOf, ranksOf } from '../support/spread.js';
import type { Load } from './load.js';
import type { Fleet } from './fleet.js';

export type Spread = { p50: number; p99: number; max: number };

/** What a drill came to. */
export type Figures = {
  commands: number;
  effects: number;
  /** Answers that were no acceptance, and calls without an answer; each was repeated until it was accepted. */
  refused: number;
  /** Calls that went out once more, as the connection kept for them was just being closed. */
  resent: number;
  givenUp: number;
  /** Commands that were due while no key was free, and were never asked for. */
  dropped: number;
  lost: number;
  duplicated: number;
  reordered: number;
  irregular: number;
  unknown: number;
  /** Times that a broker changed its owner. */
  moves: number;
  /** Milliseconds without an owner at each move, by the ranges in the database; 0 where one ended as the next began. */
  gapMs: Spread;
  /** From when commands were due to their acceptance. */
  acceptMs: Spread;
  /** Commands that had not ended when it was judged: their state, and who had their broker. */
  left: object[];
  /** What was refused, each kind once, and which rules were broken. */
  refusals: Partial<Record<string, number>>;
  byRule: Record<string, number>;
};

// A stay that begins before the one before it ended was a handover as well.
const GAPS = `
  select greatest(0, extract(epoch from began_at - before) * 1000)::float8 as ms
  from (
    select began_at, lag(ended_at) over (partition by broker_id order by epoch) as before,
           lag(epoch) over (partition by broker_id order by epoch) as epoch_before
    from broker_stay
    where broker_id = any ($2::uuid[])
  ) stay
  where epoch_before is not null and began_at >= $1
  order by 1`;

/** Of some brokers the milliseconds from a moment to the first stay that began since, by the database's clock. */
const AGAIN = `
  select broker_id as id, extract(epoch from min(began_at) - $2) * 1000 as ms
  from broker_stay
  where broker_id = any ($1::uuid[]) and began_at > $2
  group by broker_id`;

const OWNED_BY = `select broker_id as id from broker_connection where replica_id = $1`;

const IS_GONE = `select state = 'gone' as gone from hub_replica where id = $1`;

// What came in while the door was open is in the row before the drain is: it is begun when the door is closed.
const AFTER_DRAIN = `
  select (
    select count(*)::int
    from broker_stay stay
    join rollout on rollout.replica_id = stay.replica_id
    where stay.replica_id = $1 and stay.began_at > rollout.begun_at
  ) as "admittedAfter", (
    select count(*)::int from broker_connection where replica_id = $1
  ) as "stillOwned"`;

const DEAFEN = `
  select count(pg_terminate_backend(pid))::int as count
  from pg_stat_activity
  where datname = current_database() and application_name like '%/listen'`;

const REPORTS = `
  select count(*)::int as drains, count(judged_at)::int as judged,
         count(*) filter (where (report ->> 'clean')::boolean)::int as clean
  from rollout`;

const JUDGED_WITHIN_MS = 60_000;
const LOOK_MS = 500;

/** Of what has not ended, where it is, and who has its broker. */
const LEFT = `
  select dispatch.state, coalesce(replica.state, 'nobody') as owner,
         coalesce(dispatch.claim_epoch = held.epoch, false) as "isOfThisLink", count(*)::int as count
  from broker_dispatch dispatch
  left join broker_connection held on held.broker_id = dispatch.broker_id
  left join hub_replica replica on replica.id = held.replica_id
  group by 1, 2, 3
  order by 1, 2, 3`;

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

  /** The database's time. */
  async now(): Promise<Date> {
    const [row] = await this.dataSource.query<{ now: Date }[]>('select clock_timestamp() as now');
    if (row === undefined) throw new Error('the database does not tell the time');
    return row.now;
  }

  /** The brokers whose connection a replica holds. */
  readonly ownedBy = async (replicaId: string): Promise<string[]> => {
    const rows = await this.dataSource.query<{ id: string }[]>(OWNED_BY, [replicaId]);
    return rows.map(({ id }) => id);
  };

  /**
   * When each of some brokers had an owner again, in milliseconds from a moment.
   *
   * @throws Error where one has none in time
   */
  async ownedAgain(ids: readonly string[], since: Date, withinMs: number): Promise<Map<string, number>> {
    const until = performance.now() + withinMs;
    for (;;) {
      const rows = await this.dataSource.query<{ id: string; ms: string }[]>(AGAIN, [ids, since]);
      if (rows.length === ids.length) return new Map(rows.map(({ id, ms }) => [id, Number(ms)]));
      if (performance.now() > until)
        throw new Error(`${ids.length - rows.length} brokers are without an owner for ${withinMs} ms`);
      await rest(LOOK_MS);
    }
  }

  /** Whether the others hold a replica for dead. */
  async isGone(replicaId: string): Promise<boolean> {
    return (await this.dataSource.query<{ gone: boolean }[]>(IS_GONE, [replicaId]))[0]?.gone === true;
  }

  /** The highest version of the wire that replicas spoke, of all that there were. */
  async protocols(): Promise<number[]> {
    const rows = await this.dataSource.query<{ most: number }[]>(
      'select distinct protocol_max::int as most from hub_replica order by 1',
    );
    return rows.map(({ most }) => most);
  }

  /** Brokers that a replica let in after its drain had begun, and those that it owns still. */
  async afterDrain(replicaId: string): Promise<{ admittedAfter: number; stillOwned: number }> {
    type Row = { admittedAfter: number; stillOwned: number };
    const [row] = await this.dataSource.query<Row[]>(AFTER_DRAIN, [replicaId]);
    return row ?? { admittedAfter: 0, stillOwned: 0 };
  }

  /** Of the moves of some brokers since a time. */
  async gapsMs(ids: readonly string[], since = new Date(0)): Promise<number[]> {
    const rows = await this.dataSource.query<{ ms: number | null }[]>(GAPS, [since, ids]);
    // A stay that has begun while the one before it has no end has left no gap.
    return rows.map(({ ms }) => ms ?? 0);
  }

  /** Commands that have not ended, by what is known of them. */
  async left(): Promise<object[]> {
    return this.dataSource.query<object[]>(LEFT);
  }

  /** Ends the sessions that listen. @returns how many there were */
  async deafen(): Promise<number> {
    const [row] = await this.dataSource.query<{ count: number }[]>(DEAFEN);
    return row?.count ?? 0;
  }

  /** The reports of all drains, once each is judged, or a minute later. */
  async reports(): Promise<{ clean: number; judged: number; drains: number }> {
    const until = performance.now() + JUDGED_WITHIN_MS;
    for (;;) {
      const [row] = await this.dataSource.query<{ clean: number; judged: number; drains: number }[]>(REPORTS);
      const found = row ?? { clean: 0, judged: 0, drains: 0 };
      if (found.judged === found.drains || performance.now() > until) return found;
      await rest(LOOK_MS);
    }
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
    witnesses: [writeLines(folder, 'effects.ndjson', fleet.effects(idOfNote))],
    answers: writeLines(folder, 'answers.ndjson', load.answers),
  });
  const gaps = await evidence.gapsMs(fleet.brokerIds);
  const left = await evidence.left();
  return {
    commands: verdict.dispatches,
    effects: verdict.effects ?? 0,
    refused: load.refusals.length,
    resent: load.resent,
    givenUp: load.givenUp,
    dropped: load.dropped,
    ...faultsOf(verdict),
    unknown: verdict.unknown,
    moves: gaps.length,
    gapMs: spread(gaps),
    acceptMs: spread(load.latenciesMs()),
    left,
    refusals: countOf(load.refusals.map(kindOf)),
    byRule: verdict.byRule,
  };
}

export function spread(values: readonly number[]): Spread {
  const at = ranksOf(values);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** What is told of one call alone makes no kind of its own. */
function kindOf(refusal: string): string {
  return refusal.replace(/"(instance|requestId|dispatchId)":"[^"]*"/g, '').slice(0, 120);
}
