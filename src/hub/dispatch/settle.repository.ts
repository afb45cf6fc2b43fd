import { Injectable } from '@nestjs/common';
import type { BrokerError, JsonValue } from '../../protocol/frame.js';
import { Database } from '../database/database.js';
import { toJsonb } from '../database/jsonb.js';
import { statement } from '../database/statement.js';
import { stateAfter, statesBefore, type DispatchState, type EndedState } from './state.js';

/** One broker's word on one attempt. */
export type Word = { id: string; brokerId: string; attempt: number };

export type Settlement = Word & { state: EndedState; result: JsonValue; error: BrokerError | null };

/** What is told on when a dispatch has ended. */
export type Ending = {
  id: string;
  seq: number;
  brokerId: string;
  agentId: string | null;
  op: string;
  orderingKey: string | null;
  originReplica: string;
  state: EndedState;
};

export type Standing = {
  id: string;
  brokerId: string;
  state: DispatchState;
  attempt: number;
  errorCode: string | null;
};

const HISTORY_COLUMNS = `
    id, seq, broker_id, agent_id, op, args, lane, ordering_key, state, attempt, failures, max_failures,
    deadline_at, claimed_by, claim_epoch, claim_journal, claimed_at, origin_replica, initiator, trail,
    created_at, result, error`;

const ENDING = `
  returning id, seq, broker_id as "brokerId", agent_id as "agentId", op, ordering_key as "orderingKey",
            origin_replica as "originReplica", state`;

// An ack that a crash takes back costs a repeat of the frame and no more, so it does not wait for the disk.
const ACK = statement(
  'ack_dispatches',
  `
  with relaxed as materialized (select set_config('synchronous_commit', 'off', true)),
  locked as materialized (
    select dispatch.id, dispatch.attempt
    from relaxed, unnest($1::uuid[], $2::uuid[], $3::integer[]) as said (id, broker_id, attempt)
    join broker_dispatch dispatch on dispatch.id = said.id
    where dispatch.broker_id = said.broker_id
      and dispatch.attempt = said.attempt
      and dispatch.state = any ($4::text[])
    order by dispatch.seq
    for update of dispatch
  )
  update broker_dispatch dispatch
  set state = $5,
      trail = append_step(dispatch.trail, jsonb_build_object(
        'state', $5::text, 'at', clock_timestamp(), 'replica', $6::uuid, 'epoch', dispatch.claim_epoch, 'attempt', dispatch.attempt
      ))
  from locked
  where dispatch.id = locked.id
  `,
);

// The row moves from the live table to the history in the same statement that ends it.
const SETTLE = statement(
  'settle_dispatches',
  `
  with said as materialized (
    select *
    from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[])
      as said (id, broker_id, attempt, ended_state, result, error)
  ),
  locked as materialized (
    select dispatch.id, said.ended_state, said.result::jsonb, said.error::jsonb
    from said
    join broker_dispatch dispatch on dispatch.id = said.id
    where dispatch.broker_id = said.broker_id
      and dispatch.attempt = said.attempt
      and dispatch.state = any ($7::text[])
    order by dispatch.seq
    for update of dispatch
  ),
  removed as (
    delete from broker_dispatch dispatch
    using locked
    where dispatch.id = locked.id
    returning dispatch.*, locked.ended_state, locked.result, locked.error
  )
  insert into broker_dispatch_history (${HISTORY_COLUMNS})
  select id, seq, broker_id, agent_id, op, args, lane, ordering_key, ended_state, attempt, failures, max_failures,
         deadline_at, claimed_by, claim_epoch, claim_journal, claimed_at, origin_replica, initiator,
         append_step(trail, jsonb_strip_nulls(jsonb_build_object(
           'state', ended_state, 'at', clock_timestamp(), 'replica', $8::uuid, 'epoch', claim_epoch, 'attempt', attempt,
           'reason', error ->> 'code'
         ))),
         created_at, result, error
  from removed
  ${ENDING}
  `,
);

const STANDINGS = statement(
  'read_standings',
  `
  select id, broker_id as "brokerId", state, attempt, null as "errorCode"
  from broker_dispatch where id = any ($1::uuid[])
  union all
  select id, broker_id, state, attempt, error ->> 'code'
  from broker_dispatch_history where id = any ($1::uuid[])
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
  where ended.id = late.id and ended.broker_id = late.broker_id
  `,
);

// A row that was on the wire is given 30 s past its deadline for the broker's own word; without one, nobody knows
// whether it had an effect, and its error says so.
const EXPIRE = statement(
  'expire_overdue',
  `
  with locked as materialized (
    select dispatch.id, dispatch.state
    from broker_dispatch dispatch
    where dispatch.state = any ($1::text[])
      and dispatch.deadline_at < case when dispatch.state = 'pending' then now() else now() - interval '30 seconds' end
    order by dispatch.seq
    limit $2
    for update of dispatch skip locked
  ),
  removed as (
    delete from broker_dispatch dispatch
    using locked
    where dispatch.id = locked.id
    returning dispatch.*,
      case when dispatch.state = 'pending'
        then jsonb_build_object('code', 'deadline_passed', 'message', 'The deadline passed before it was sent.',
                                'retryable', false, 'data', jsonb_build_object('effect', 'none'))
        else jsonb_build_object('code', 'deadline_passed', 'message', 'The deadline passed without the broker''s word.',
                                'retryable', false, 'data', jsonb_build_object('effect', 'unknown'))
      end as error
  )
  insert into broker_dispatch_history (${HISTORY_COLUMNS})
  select id, seq, broker_id, agent_id, op, args, lane, ordering_key, $3, attempt, failures, max_failures,
         deadline_at, claimed_by, claim_epoch, claim_journal, claimed_at, origin_replica, initiator,
         append_step(trail, jsonb_build_object(
           'state', $3::text, 'at', clock_timestamp(), 'replica', $4::uuid, 'attempt', attempt, 'reason', 'deadline_passed'
         )),
         created_at, null, error
  from removed
  ${ENDING}
  `,
);

/** SQL of acks and endings. Each is fenced by id, broker, attempt and state. */
@Injectable()
export class SettleRepository {
  constructor(private readonly database: Database) {}

  /** A word that does not fit its row changes nothing. */
  async ack(words: readonly Word[], replicaId: string): Promise<void> {
    await this.database.run(ACK, [...fence(words), statesBefore('ack'), stateAfter('ack'), replicaId]);
  }

  /** Ends those that fit their rows, durably, and gives them; for the others the standing says why not. */
  async settle(settlements: readonly Settlement[], replicaId: string): Promise<Ending[]> {
    return this.database.run(SETTLE, [
      ...fence(settlements),
      settlements.map(({ state }) => state),
      settlements.map(({ result }) => (result === null ? null : toJsonb(result))),
      settlements.map(({ error }) => (error === null ? null : toJsonb(error))),
      statesBefore('succeed'),
      replicaId,
    ]);
  }

  /** Where these dispatches stand, live or ended; one that is nowhere is left out. */
  async standings(ids: readonly string[]): Promise<Standing[]> {
    return this.database.run(STANDINGS, [ids]);
  }

  /** Keeps a word that came after the end in the trail; it changes nothing else. */
  async noteLate(late: readonly (Word & { state: EndedState })[]): Promise<void> {
    await this.database.run(NOTE_LATE, [...fence(late), late.map(({ state }) => state)]);
  }

  async expireOverdue(replicaId: string, most: number): Promise<Ending[]> {
    return this.database.run(EXPIRE, [statesBefore('expire'), most, stateAfter('expire'), replicaId]);
  }
}

function fence(words: readonly Word[]): [string[], string[], number[]] {
  return [
    words.map(({ id }) => id),
    words.map(({ brokerId }) => brokerId),
    words.map(({ attempt }) => attempt),
  ];
}
