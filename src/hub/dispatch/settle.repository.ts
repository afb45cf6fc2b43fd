import { Injectable } from '@nestjs/common';
import type { BrokerError, JsonValue } from '../../protocol/frame.js';
import { Database } from '../database/database.js';
import { toJsonb } from '../database/jsonb.js';
import { ONE_ROW, rowsOf } from '../database/rows-of.js';
import { sought } from '../database/sought.js';
import { statement } from '../database/statement.js';
import { ENDING_COLUMNS, HISTORY_COLUMNS, KEPT_COLUMNS } from './history.columns.js';
import { spanOf } from './id-span.js';
import { appended, step } from './trail-step.js';
import {
  LINK_BOUND,
  stateAfter,
  STATES_AFTER_JSON,
  statesBefore,
  type Contract,
  type DispatchState,
  type EndedState,
  type Lane,
} from './state.js';

/** One broker's word on one attempt. */
export type Word = { id: string; brokerId: string; attempt: number };

/** `retry` is a failure that may pass; whether it is done again the row decides. */
export type Said = 'succeed' | 'fail' | 'retry' | 'cancel';

export type Settlement = Word & { said: Said; result: JsonValue; error: BrokerError | null };

/** What is told on when a dispatch has ended. */
export type Ending = {
  id: string;
  seq: number;
  brokerId: string;
  agentId: string | null;
  op: string;
  lane: Lane;
  orderingKey: string | null;
  originReplica: string;
  state: EndedState;
  attempt: number;
  /** Seconds since it was accepted, or was to be sent by its caller's wish, by the database's clock. */
  ageS: number;
  /** Seconds since its latest claim; null where it is not claimed. */
  outS: number | null;
  /** The trace context of the request that it came with (W3C). */
  traceparent: string | null;
};

/** What only the settling statement tells. */
type Told = {
  /** By the database's clock; null where it did not end. */
  endedAtMs: number | null;
  claimedBy: string | null;
  /** Of the attempt that was settled; null where more happened to the row than a copy of its outcome could say. */
  claimEpoch: number | null;
  /** null where it ended. */
  contract: Contract | null;
};

/** What became of a settled row: it ended, or it is pending again. */
export type Settled = (Ending & Told) | (Omit<Ending, 'state'> & Told & { state: 'pending' });

export type Standing = {
  id: string;
  brokerId: string;
  op: string;
  lane: Lane;
  state: DispatchState;
  attempt: number;
  errorCode: string | null;
};

// An ack that a crash takes back costs a repeat of the frame and no more, so it does not wait for the disk. The broker is
// compared in a way that no index serves: rows are found by their ids, whatever the server takes for cheaper.
const ACK = statement(
  'ack_dispatches',
  `
  with relaxed as materialized (select set_config('synchronous_commit', 'off', true)),
  locked as materialized (
    select dispatch.id, dispatch.attempt
    from relaxed
    cross join (${rowsOf({ id: '$1::uuid[]', broker_id: '$2::uuid[]', attempt: '$3::integer[]' })}) said
    join broker_dispatch dispatch on ${sought('dispatch.id', 'said.id')}
    where dispatch.broker_id is not distinct from said.broker_id
      and dispatch.attempt = said.attempt
      and dispatch.state = any ($4::text[])
    order by dispatch.seq
    for update of dispatch
  )
  update broker_dispatch dispatch
  set state = $5,
      trail = ${appended(
        'dispatch.trail',
        step({
          state: '$5::text',
          replica: '$6::uuid',
          epoch: 'dispatch.claim_epoch',
          attempt: 'dispatch.attempt',
        }),
      )}
  from locked
  where ${sought('dispatch.id', 'locked.id')}
  `,
);

/** What a settling is told: a list of each, in the order of the columns. */
const SAID = {
  id: '$1::uuid[]',
  broker_id: '$2::uuid[]',
  attempt: '$3::integer[]',
  word: '$4::text[]',
  result: '$5::text[]',
  error: '$6::text[]',
};

/** Which attempt a word fits: that of this broker, while it is out. */
const FENCE = `${sought('dispatch.id', 'said.id')}
        and dispatch.broker_id is not distinct from said.broker_id
        and dispatch.attempt = said.attempt
        and dispatch.state = any ($7::text[])`;

/**
 * A word that it was stopped, which nobody but the deadline asked for, is an expiry; the owner asks by a clock of its own, which
 * may be ahead by a little.
 */
const isExpiry = (word: string, row: string) => `${word} = 'cancel' and ${row}.cancel_requested_at is null
               and ${row}.deadline_at <= now() + interval '5 seconds'`;

/** What is to be kept of an ending, of rows that have what was said of them and what happened thereby. */
const endedOf = (removed: string) => `
    insert into broker_dispatch_history (${HISTORY_COLUMNS})
    select ${KEPT_COLUMNS},
           ended_state, failures + case when happening = 'exhaust' then 1 else 0 end, said_result, said_error,
           case
             when said_error is null then ${appended(
               'trail',
               step({ state: 'ended_state', replica: '$8::uuid', epoch: 'claim_epoch', attempt: 'attempt' }),
             )}
             else append_step(trail, jsonb_strip_nulls(jsonb_build_object(
               'state', ended_state, 'at', clock_timestamp(), 'replica', $8::uuid, 'epoch', claim_epoch,
               'attempt', attempt, 'reason', said_error ->> 'code'
             )))
           end
    from (
      select removed.*, $9::jsonb ->> happening as ended_state,
             case when happening = 'expire' then jsonb_build_object(
               'code', 'deadline_passed', 'message', 'The deadline passed, and the broker stopped it.',
               'retryable', false, 'data', jsonb_build_object('effect', 'stopped')
             ) else told_error end as said_error
      from ${removed}
    ) removed
    returning id, seq, broker_id, agent_id, op, lane, ordering_key, origin_replica, state, attempt, created_at,
              not_before, claimed_at, initiator, ended_at, claimed_by,
              case when state = any ($10::text[]) and failures = 0 and progress is null
                     and cancel_requested_at is null and retry_at is null then claim_epoch end as claim_epoch`;

const TOLD = `
  select ${ENDING_COLUMNS}, trunc(date_part('epoch', ended_at) * 1000) as "endedAtMs", claimed_by as "claimedBy",
         claim_epoch as "claimEpoch", null::text as contract
  from ended`;

// The row moves from the live table to the history in the same statement that ends it. A failure that may pass puts
// it back instead, unless its caller gave it up, it is bound to this link, or its deadline has passed. The rest after the
// nth failure is drawn from all between 1 s and min(5 min, 5^n s): exponential with full jitter (M. Brooker, "Exponential
// Backoff And Jitter", AWS Architecture Blog, 2015), which begins at 1 s, since a command that goes out again at once meets
// the same fault, and has a base by which the last rest of five failures may have all of the 5 min. Each row is found by its
// id and locked in a step of its own, since the server would else walk all rows of the broker for each.
const SETTLE = statement(
  'settle_dispatches',
  `
  with said as materialized (
    ${rowsOf(SAID)}
  ),
  placed as materialized (
    select said.*
    from said
    cross join lateral (
      select dispatch.seq from broker_dispatch dispatch where ${sought('dispatch.id', 'said.id')} offset 0
    ) dispatch
    order by dispatch.seq
  ),
  locked as materialized (
    select dispatch.id, said.result::jsonb as said_result, said.error::jsonb as told_error,
           case
             when said.word = 'retry' and (dispatch.cancel_requested_at is not null
                                           or dispatch.contract = any ($11::text[])
                                           or dispatch.deadline_at <= now()) then 'fail'
             when said.word = 'retry' and dispatch.failures + 1 >= dispatch.max_failures then 'exhaust'
             when ${isExpiry('said.word', 'dispatch')} then 'expire'
             else said.word
           end as happening
    from placed said
    cross join lateral (
      select dispatch.id, dispatch.contract, dispatch.deadline_at, dispatch.cancel_requested_at,
             dispatch.failures, dispatch.max_failures
      from broker_dispatch dispatch
      where ${FENCE}
      for update of dispatch
    ) dispatch
  ),
  retried as (
    update broker_dispatch dispatch
    set state = $9::jsonb ->> locked.happening,
        failures = dispatch.failures + 1,
        claimed_by = null,
        claim_epoch = null,
        claim_journal = null,
        claimed_at = null,
        retry_at = clock_timestamp()
          + make_interval(secs => 1 + random() * (least(300, power(5, least(dispatch.failures + 1, 4))) - 1)),
        trail = append_step(dispatch.trail, jsonb_build_object(
          'state', $9::jsonb ->> locked.happening, 'at', clock_timestamp(), 'replica', $8::uuid,
          'epoch', dispatch.claim_epoch, 'attempt', dispatch.attempt, 'reason', locked.told_error ->> 'code'
        ))
    from locked
    where ${sought('dispatch.id', 'locked.id')} and locked.happening = 'retry'
    returning dispatch.*
  ),
  removed as (
    delete from broker_dispatch dispatch
    using locked
    where ${sought('dispatch.id', 'locked.id')} and locked.happening <> 'retry'
    returning dispatch.*, locked.happening, locked.said_result, locked.told_error
  ),
  ended as (${endedOf('removed')}
  )${TOLD}
  union all
  select ${ENDING_COLUMNS}, null, null, null, contract from retried
  `,
);

// One alone, which no failure may put back: nothing is locked in an order, and the row that is found is the one removed.
const SETTLE_ONE = statement(
  'settle_dispatches_of_one',
  `
  with removed as (
    delete from broker_dispatch dispatch
    using (${ONE_ROW.rowsOf(SAID)}) said
    where ${FENCE}
    returning dispatch.*, said.word, said.result::jsonb as said_result, said.error::jsonb as told_error
  ),
  ended as (${endedOf(`(
        select removed.*, case when ${isExpiry('word', 'removed')} then 'expire' else word end as happening
        from removed
      ) removed`)}
  )${TOLD}
  `,
);

const STANDINGS = statement(
  'read_standings',
  `
  select id, broker_id as "brokerId", op, lane, state, attempt, null as "errorCode"
  from broker_dispatch where id = any ($1::uuid[])
  union all
  select id, broker_id, op, lane, state, attempt, error ->> 'code'
  from broker_dispatch_history where id = any ($1::uuid[]) and id between $2 and $3
  `,
);

const NOTE_LATE = statement(
  'note_late_results',
  `
  update broker_dispatch_history ended
  set trail = append_step(ended.trail, jsonb_build_object(
    'state', 'late_result', 'at', clock_timestamp(), 'attempt', late.attempt, 'reason', late.outcome
  ))
  from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[]) as late (id, broker_id, attempt, outcome)
  where ${sought('ended.id', 'late.id')} and ended.broker_id = late.broker_id
  `,
);

/** Endings of which a copy of the outcome may say all: by the broker's word alone. */
const TOLD_BY_COPIES = [stateAfter('succeed'), stateAfter('fail')];

/** SQL of acks and results. Each is fenced by id, broker, attempt and state. */
@Injectable()
export class SettleRepository {
  constructor(private readonly database: Database) {}

  /** A word that does not fit its row changes nothing. */
  async ack(words: readonly Word[], replicaId: string): Promise<void> {
    await this.database.run(ACK, [...fence(words), statesBefore('ack'), stateAfter('ack'), replicaId]);
  }

  /**
   * Ends those that fit their rows, or puts them back to be done again, durably, and gives them; for the others the
   * standing says why not.
   */
  async settle(settlements: readonly Settlement[], replicaId: string): Promise<Settled[]> {
    const said = [
      ...fence(settlements),
      settlements.map(({ said }) => said),
      settlements.map(({ result }) => (result === null ? null : toJsonb(result))),
      settlements.map(({ error }) => (error === null ? null : toJsonb(error))),
    ];
    const rest = [statesBefore('succeed'), replicaId, STATES_AFTER_JSON, TOLD_BY_COPIES];
    const [only] = settlements;
    if (settlements.length === 1 && only?.said !== 'retry')
      return this.database.run(SETTLE_ONE, [...said.map(([value]) => value), ...rest]);
    return this.database.run(SETTLE, [...said, ...rest, LINK_BOUND]);
  }

  /** Where these dispatches stand, live or ended; one that is nowhere is left out. */
  async standings(ids: readonly string[]): Promise<Standing[]> {
    return this.database.run(STANDINGS, [ids, ...spanOf(ids)]);
  }

  /** Keeps a word that came after the end in the trail; it changes nothing else. */
  async noteLate(late: readonly (Word & { said: Said })[]): Promise<void> {
    await this.database.run(NOTE_LATE, [...fence(late), late.map(({ said }) => stateAfterWord(said))]);
  }
}

/** How a dispatch has ended by the broker's word alone. */
export function stateAfterWord(said: Said): EndedState {
  return stateAfter(said === 'retry' ? 'fail' : said) as EndedState;
}

function fence(words: readonly Word[]): [string[], string[], number[]] {
  return [
    words.map(({ id }) => id),
    words.map(({ brokerId }) => brokerId),
    words.map(({ attempt }) => attempt),
  ];
}
