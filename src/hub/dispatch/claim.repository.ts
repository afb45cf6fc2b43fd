import { Injectable } from '@nestjs/common';
import type { JsonObject } from '../../protocol/frame.js';
import { Database } from '../database/database.js';
import { MANY_ROWS, ONE_ROW, rowsOf, type RowShape } from '../database/rows-of.js';
import { sought } from '../database/sought.js';
import { statement } from '../database/statement.js';
import { OPS_HELD_TO_ACK } from '../../protocol/op.js';
import { argsBytesOf } from './args-bytes.columns.js';
import { isOfKey } from './key-rule.columns.js';
import { appended, step } from './trail-step.js';
import { stateAfter, statesBefore, type Contract, type Lane, type LiveState } from './state.js';

/** A live row as the owner's read-ahead sees it. */
export type ReadRow = {
  id: string;
  brokerId: string;
  seq: number;
  state: LiveState;
  attempt: number;
  op: string;
  lane: Lane;
  orderingKey: string | null;
  contract: Contract;
  /** Milliseconds until it may be sent; 0 where it may be now. */
  restMs: number;
  /** Whether it keeps its ordering key while it rests: it does after a failure, and not by its caller's wish. */
  restsWithKey: boolean;
  cancelRequested: boolean;
  /** null where they are large: then they are read after the claim. */
  args: JsonObject | null;
  argsBytes: number;
  remainingMs: number;
  /** The trace context of the request that it came with (W3C). */
  traceparent: string | null;
};

export type Claimed = {
  id: string;
  attempt: number;
  remainingMs: number;
  /** Seconds since it was accepted, or was to be sent by its caller's wish, by the database's clock. */
  ageS: number;
};

/** What a claim found of one broker it asked for. */
export type ClaimAnswer = { brokerId: string; owned: boolean; claimed: Claimed[] };

/** Size of arguments past which the read-ahead leaves them in the row. */
export const SMALL_ARGS_BYTES = 8_192;

const READ_AHEAD = statement(
  'read_ahead',
  `
  select ahead.*
  from (${rowsOf({ broker_id: '$1::uuid[]', after_seq: '$2::bigint[]', most: '$3::integer[]' })}) asked
  cross join lateral (
    select dispatch.id, dispatch.broker_id as "brokerId", dispatch.seq, dispatch.state, dispatch.attempt,
           dispatch.op, dispatch.lane, dispatch.ordering_key as "orderingKey", dispatch.contract,
           greatest(0, ceil(date_part('epoch', greatest(dispatch.retry_at, dispatch.not_before) - now()) * 1000))::bigint
             as "restMs",
           dispatch.attempt > 0 as "restsWithKey",
           dispatch.cancel_requested_at is not null as "cancelRequested",
           case when args_bytes <= $4 then dispatch.args end as args, args_bytes as "argsBytes",
           greatest(0, floor(date_part('epoch', dispatch.deadline_at - now()) * 1000))::bigint as "remainingMs",
           dispatch.initiator ->> 'traceparent' as traceparent
    from broker_dispatch dispatch
    cross join lateral (
      select ${argsBytesOf('dispatch')} as args_bytes
    ) size
    where dispatch.broker_id = asked.broker_id and dispatch.seq > asked.after_seq
    order by dispatch.seq
    limit asked.most
  ) ahead
  `,
);

// Rows are found by their ids, one after another in the order in which they are asked for, which must be that of `seq`.
// The advisory lock is shared among claims and excludes a connect; it is taken before the row lock because its
// queue is fair. Only the earliest live row of a key is claimed, and none while another of the key is out. A row that
// rests by its caller's wish does not count among its key's, one that rests after a failure does, and one whose op
// lets go of its key with the ack no more does once it runs. They are looked for from the broker's floor on, so that no dead
// index entries are walked.
const claimText = (shape: RowShape, answer: string) => `
  with asking as materialized (
    select asked.broker_id, asked.epoch,
           pg_advisory_xact_lock_shared(hashtextextended(asked.broker_id::text, 1)) as turn
    from (
      select * from (${shape.rowsOf({ broker_id: '$2::uuid[]', epoch: '$3::bigint[]' })}) asked ${shape.orderBy('broker_id')}
    ) asked
  ),
  owned as materialized (
    select connection.broker_id, connection.epoch, connection.journal_id, coalesce(floor.seq, 0) as floor
    from asking
    join broker_connection connection on connection.broker_id = asking.broker_id
    left join broker_dispatch_floor floor on floor.broker_id = asking.broker_id
    where connection.replica_id = $1 and connection.epoch = asking.epoch
    ${shape.orderBy('connection.broker_id')}
    for share of connection
  ),
  locked as materialized (
    select dispatch.*, asked.epoch, asked.journal_id, asked.floor
    from (
      select asked.id, owned.broker_id, owned.epoch, owned.journal_id, owned.floor
      from (${shape.rowsInPlace({ id: '$4::uuid[]', broker_id: '$8::uuid[]' }, '$4::uuid[]')}) asked
      join owned on ${shape.areOfOneRow('owned.broker_id', 'asked.broker_id')}
      ${shape.orderBy('asked.place')}
    ) asked
    cross join lateral (
      select dispatch.id, dispatch.broker_id, dispatch.seq, dispatch.ordering_key, dispatch.contract
      from broker_dispatch dispatch
      where ${sought('dispatch.id', 'asked.id')}
        and dispatch.broker_id is not distinct from asked.broker_id
        and coalesce(dispatch.link_epoch = asked.epoch, true)
        and dispatch.state = any ($5::text[])
        and dispatch.deadline_at > now()
        and coalesce(greatest(dispatch.retry_at, dispatch.not_before) <= clock_timestamp(), true)
      for update of dispatch skip locked
    ) dispatch
  ),
  claimable as (
    select locked.id, locked.epoch, locked.journal_id
    from locked
    where locked.ordering_key is null or not exists (
      select from broker_dispatch other
      where ${isOfKey('other', 'locked', 'locked.floor')}
        and other.id <> locked.id
        and case
          when other.state <> all ($5::text[]) then not (other.state = 'running' and other.op = any ($7::text[]))
          when other.seq > locked.seq then locked.contract = 'latest_only' and other.contract = 'latest_only'
          else other.attempt > 0 or coalesce(other.not_before <= clock_timestamp(), true)
        end
    )
  ),
  claimed as (
    update broker_dispatch dispatch
    set state = $6,
        attempt = dispatch.attempt + 1,
        claimed_by = $1,
        claim_epoch = claimable.epoch,
        claim_journal = claimable.journal_id,
        claimed_at = now(),
        trail = ${appended(
          'dispatch.trail',
          step({
            state: '$6::text',
            replica: '$1::uuid',
            epoch: 'claimable.epoch',
            attempt: '(dispatch.attempt + 1)',
          }),
        )}
    from claimable
    where ${sought('dispatch.id', 'claimable.id')}
    returning dispatch.id, dispatch.broker_id, dispatch.seq, dispatch.attempt,
              greatest(0, floor(date_part('epoch', dispatch.deadline_at - now()) * 1000))::bigint as remaining_ms,
              date_part('epoch', now() - greatest(dispatch.created_at, dispatch.not_before)) as age_s
  )
  ${answer}
  `;

const CLAIMED = `json_build_object(
             'id', claimed.id, 'attempt', claimed.attempt, 'remainingMs', claimed.remaining_ms, 'ageS', claimed.age_s
           )`;

const CLAIM = statement(
  'claim_by_ids',
  claimText(
    MANY_ROWS,
    `select asking.broker_id as "brokerId",
         bool_or(owned.broker_id is not null) as owned,
         coalesce(
           json_agg(${CLAIMED} order by claimed.seq) filter (where claimed.id is not null),
           '[]'
         ) as claimed
  from asking
  left join owned on owned.broker_id = asking.broker_id
  left join claimed on claimed.broker_id = asking.broker_id
  group by asking.broker_id`,
  ),
);

const CLAIM_ONE = statement(
  'claim_by_ids_of_one',
  claimText(
    ONE_ROW,
    `select asking.broker_id as "brokerId",
         owned.broker_id is not null as owned,
         case when claimed.id is null then '[]' else json_build_array(${CLAIMED}) end as claimed
  from asking
  left join owned on true
  left join claimed on true`,
  ),
);

const READ_ARGS = statement('read_args', `select id, args from broker_dispatch where id = any ($1::uuid[])`);

/** SQL of the owner's way from rows to the wire. */
@Injectable()
export class ClaimRepository {
  constructor(private readonly database: Database) {}

  /** Live rows of several brokers in the order of `seq`, each broker's after a cursor and at most so many. */
  async readAhead(asked: { brokerId: string; afterSeq: number; most: number }[]): Promise<ReadRow[]> {
    return this.database.run(READ_AHEAD, [
      asked.map(({ brokerId }) => brokerId),
      asked.map(({ afterSeq }) => afterSeq),
      asked.map(({ most }) => most),
      SMALL_ARGS_BYTES,
    ]);
  }

  /**
   * Claims, among the given rows, those that may go out now, for brokers that this replica still owns under the
   * given epochs. Committed when it resolves.
   *
   * @param rows in the order of `seq`
   */
  async claim(
    replicaId: string,
    brokers: { brokerId: string; epoch: number }[],
    rows: { id: string; brokerId: string }[],
  ): Promise<ClaimAnswer[]> {
    const states = [statesBefore('claim'), stateAfter('claim'), OPS_HELD_TO_ACK];
    const [broker, row] = [brokers[0], rows[0]];
    if (brokers.length === 1 && rows.length === 1 && broker !== undefined && row !== undefined)
      return this.database.run(CLAIM_ONE, [
        replicaId,
        broker.brokerId,
        broker.epoch,
        row.id,
        ...states,
        row.brokerId,
      ]);
    return this.database.run(CLAIM, [
      replicaId,
      brokers.map(({ brokerId }) => brokerId),
      brokers.map(({ epoch }) => epoch),
      rows.map(({ id }) => id),
      ...states,
      rows.map(({ brokerId }) => brokerId),
    ]);
  }

  /** Of rows that live. null where JSON's null was given, as it could be once, for a command without arguments. */
  async readArgs(ids: string[]): Promise<Map<string, JsonObject | null>> {
    const rows = await this.database.run<{ id: string; args: JsonObject | null }>(READ_ARGS, [ids]);
    return new Map(rows.map(({ id, args }) => [id, args]));
  }
}
