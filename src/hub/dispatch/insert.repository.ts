import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { MANY_ROWS, ONE_ROW, rowsOf } from '../database/rows-of.js';
import { statement } from '../database/statement.js';
import { OPS_THAT_ASK } from '../../protocol/op.js';
import { PENDING_MOST } from './depths.js';
import type { Draft } from './draft.js';
import { handingOff, withoutHandOff } from './hand-off.columns.js';
import { insertText, LEAN, WHOLE } from './insert.columns.js';
import type { Offer } from './hand-off.js';
import type { Estimates } from './quotas.js';
import {
  IN_PROJECTS,
  WITHOUT_PROJECT,
  type JudgedByProject,
  type ProjectRefusal,
} from './project.columns.js';
import { spanOf } from './id-span.js';
import { LowestLive, type CountedFrom } from './lowest-live.js';
import { LINK_BOUND } from './state.js';

/** Why a draft was not stored; a key that was taken is no refusal. */
export type Refusal = 'broker_unknown' | 'incapable' | 'offline' | 'full' | ProjectRefusal;

/** What became of one draft: stored with its `seq`, or why not. */
export type Inserted = {
  id: string;
  /** null where nothing was stored. */
  seq: number | null;
  refusal: Refusal | null;
  /** The replica that holds the broker's connection. */
  owner: string | null;
  /** Live commands of the broker before this statement, where they were counted. */
  depth: number | null;
  /** Whether it was stored as claimed, by this replica or for the owner. */
  isHanded?: boolean;
  /** The epoch of the owner's connection where it was offered and the connection was free, and the window of that. */
  claimEpoch?: number | null;
  window?: number | null;
  brokerName?: string | null;
  /** When it was stored, by the database's clock; null in all rows of a statement but the first, since it is the same. */
  createdAt?: Date | null;
} & Partial<JudgedByProject>;

const INSERT = {
  plain: statement('insert_dispatches', insertText(WITHOUT_PROJECT, withoutHandOff, WHOLE, MANY_ROWS)),
  lean: statement('insert_dispatches_lean', insertText(WITHOUT_PROJECT, withoutHandOff, LEAN, MANY_ROWS)),
  leanOfOne: statement(
    'insert_dispatches_lean_of_one',
    insertText(WITHOUT_PROJECT, withoutHandOff, LEAN, ONE_ROW),
  ),
  handingOff: statement(
    'insert_dispatches_handing_off',
    insertText(WITHOUT_PROJECT, handingOff, WHOLE, MANY_ROWS),
  ),
  handingOffLean: statement(
    'insert_dispatches_handing_off_lean',
    insertText(WITHOUT_PROJECT, handingOff, LEAN, MANY_ROWS),
  ),
  handingOffLeanOfOne: statement(
    'insert_dispatches_handing_off_lean_of_one',
    insertText(WITHOUT_PROJECT, handingOff, LEAN, ONE_ROW),
  ),
  inProjects: statement(
    'insert_dispatches_in_projects',
    insertText(IN_PROJECTS, withoutHandOff, WHOLE, MANY_ROWS),
  ),
};

const STORED = statement(
  'find_stored_dispatches',
  `
  select stored.id, stored.seq, null as refusal, connection.replica_id as owner, null as depth
  from (
    select id, seq, broker_id from broker_dispatch where id = any ($1::uuid[])
    union all
    select id, seq, broker_id from broker_dispatch_history where id = any ($1::uuid[]) and id between $2 and $3
  ) stored
  left join broker_connection connection on connection.broker_id = stored.broker_id
  `,
);

const FIND_BELOW = statement(
  'find_live_commands_below',
  `
  select asked.project_id as "projectId", live.seq
  from (${rowsOf({ project_id: '$1::uuid[]', counted_from: '$2::bigint[]' })}) asked
  cross join lateral (
    select dispatch.seq from broker_dispatch dispatch
    where dispatch.project_id = asked.project_id and dispatch.seq < asked.counted_from
    order by dispatch.seq
    limit 1
  ) live
  `,
);
/** Projects of which one statement looks for such: it walks whatever has ended of them. */
const LOOKED_BELOW_AT_ONCE = 100;

// Each begins where the one before has ended: what was forgotten leaves dead entries in the index, which stay for as long as the
// oldest transaction. One with nowhere to begin looks at what became old enough in the last ten minutes.
const SWEEP_KEYS = statement(
  'sweep_idempotency_keys',
  `
  with due as materialized (select now() - interval '24 hours' as until),
  old as materialized (
    select scope, key, created_at from idempotency_key
    where created_at >= coalesce($2::timestamptz, (select until - interval '10 minutes' from due))
      and created_at < (select until from due)
    order by created_at
    limit $1
    for update skip locked
  ),
  removed as (
    delete from idempotency_key using old
    where idempotency_key.scope = old.scope and idempotency_key.key = old.key
  )
  select count(*) as count,
         case when count(*) < $1 then (select until from due) else max(created_at) end as "from"
  from old
  `,
);

/**
 * Where a sweep of keys stands, by the database's clock: of those that are older it has left none, but for those that somebody
 * held. null for one that has not begun.
 */
export type KeySweep = { from: Date | null };

/** A sweep of all keys. */
export const sweepOfAll = (): KeySweep => ({ from: new Date(0) });

/** SQL of new dispatches and of the keys that make their requests repeatable. */
@Injectable()
export class InsertRepository {
  private readonly lowest = new LowestLive();

  constructor(private readonly database: Database) {}

  /**
   * Stores drafts in order, all in one statement; the answer has one row a draft, in the same order.
   *
   * @param counted brokers whose live commands are to be counted, and refused past the cap
   * @param quotas the projects that are named, and how many live commands of each this replica knows of
   * @param offer which of them may be stored as claimed; only where no project is named
   * @param run a transaction of the caller's, or the pool
   */
  async insert(
    drafts: readonly Draft[],
    origin: string,
    counted: readonly string[],
    quotas: Estimates,
    offer: Offer | undefined,
    run: Run = this.database.run,
  ): Promise<Inserted[]> {
    const column = <T>(pick: (draft: Draft) => T) => drafts.map(pick);
    // Shorter arrays are filled up with null: a column of nothing else need not travel.
    const sparse = <T>(pick: (draft: Draft) => T | null) =>
      drafts.some((draft) => pick(draft) !== null) ? drafts.map(pick) : [];
    const columns = [
      column(({ id }) => id),
      column(({ brokerId }) => brokerId),
      sparse(({ agentId }) => agentId),
      column(({ op }) => op),
      column(({ args }) => JSON.stringify(args)),
      sparse(({ capability }) => capability),
      column(({ lane }) => lane),
      sparse(({ orderingKey }) => orderingKey),
      column(({ deadlineS }) => deadlineS),
      column(({ contract }) => contract),
      sparse(({ notBefore }) => notBefore),
      sparse(({ redriveOf }) => redriveOf),
      column(({ initiator }) => JSON.stringify(initiator)),
      sparse(({ idempotency }) => idempotency?.scope ?? null),
      sparse(({ idempotency }) => idempotency?.key ?? null),
      sparse(({ idempotency }) => idempotency?.requestHash ?? null),
    ];
    const brokerIds = [...new Set(drafts.map(({ brokerId }) => brokerId))];
    const isLean = counted.length === 0 && drafts.every(({ idempotency }) => idempotency === null);
    const counting = isLean ? [] : [counted, PENDING_MOST];
    const isOne = isLean && drafts.length === 1 && quotas.projectIds.length === 0;
    // One draft goes as values, and not as arrays of one.
    const given = (arrays: readonly (readonly unknown[])[]) =>
      isOne ? arrays.map(([value = null]) => value) : arrays;
    const values = [...given(columns), origin, ...given([brokerIds]), LINK_BOUND];
    // Where no project is named, the statement is one that knows of none.
    if (offer !== undefined && !offer.isEmpty) {
      const { brokers } = offer;
      const offered = drafts.map((_draft, place) => offer.has(place));
      const handing = [brokers.map(({ brokerId }) => brokerId), brokers.map(({ epoch }) => epoch), offered];
      const lean = isOne ? INSERT.handingOffLeanOfOne : INSERT.handingOffLean;
      return run<Inserted>(isLean ? lean : INSERT.handingOff, [...values, ...given(handing), ...counting]);
    }
    if (quotas.projectIds.length === 0) {
      const lean = isOne ? INSERT.leanOfOne : INSERT.lean;
      return run<Inserted>(isLean ? lean : INSERT.plain, [...values, ...counting]);
    }
    const asked = this.lowest.asked(quotas.projectIds, performance.now());
    const ofProjects = [
      column(({ projectId }) => projectId),
      quotas.projectIds,
      quotas.known,
      OPS_THAT_ASK,
      column(({ endsRun }) => endsRun),
      asked.from,
      asked.settled,
    ];
    const inserted = await run<Inserted>(INSERT.inProjects, [
      ...values,
      ...ofProjects,
      counted,
      PENDING_MOST,
    ]);
    this.noteLowest(asked, drafts, inserted);
    return inserted;
  }

  /** Of some drafts whose insert is in doubt, those that are on record by now. */
  async stored(ids: readonly string[]): Promise<Inserted[]> {
    return this.database.run(STORED, [ids, ...spanOf(ids)]);
  }

  /** Forgets keys that were kept for a day, and moves the sweep past them. @returns how many, at most `most` */
  async sweepKeys(most: number, sweep: KeySweep = sweepOfAll()): Promise<number> {
    const [swept] = await this.database.run<{ count: number; from: Date }>(SWEEP_KEYS, [most, sweep.from]);
    if (swept === undefined) throw new Error('a sweep of keys gave no count');
    sweep.from = swept.from;
    return swept.count;
  }

  /** The `seq` below which no command of a project is alive, as far as is known here. */
  lowestOf(projectId: string): number {
    return this.lowest.of(projectId);
  }

  /**
   * Looks for live commands of projects that are not counted, since they became visible too late for it. It walks whatever has ended,
   * and is on nobody's way.
   */
  async lookBelow(signal?: AbortSignal): Promise<void> {
    const known = this.lowest.all();
    for (let from = 0; from < known.length && signal?.aborted !== true; from += LOOKED_BELOW_AT_ONCE) {
      const some = known.slice(from, from + LOOKED_BELOW_AT_ONCE);
      const found = await this.database.run<{ projectId: string; seq: number }>(FIND_BELOW, [
        some.map(({ projectId }) => projectId),
        some.map((each) => each.from),
      ]);
      for (const { projectId, seq } of found) this.lowest.fell(projectId, seq);
    }
  }

  private noteLowest(asked: CountedFrom, drafts: readonly Draft[], inserted: readonly Inserted[]): void {
    const lastSeq = inserted[0]?.lastSeq;
    if (lastSeq == null) return;
    const counted = new Map<string, number>();
    for (const [place, { queuedFrom = null }] of inserted.entries()) {
      const projectId = drafts[place]?.projectId ?? null;
      if (projectId !== null && queuedFrom !== null) counted.set(projectId, queuedFrom);
    }
    this.lowest.took(asked, counted, lastSeq, performance.now());
  }
}
