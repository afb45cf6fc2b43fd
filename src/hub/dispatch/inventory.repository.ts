import { Injectable } from '@nestjs/common';
import type { InventoryEntry } from '../../protocol/frame.js';
import { OPS } from '../../protocol/op.js';
import { Database } from '../database/database.js';
import { sought } from '../database/sought.js';
import { statement } from '../database/statement.js';
import { PASSED_BEFORE_AGAIN, PASSED_BEFORE_BEGUN } from './deadline-passed.columns.js';
import { ENDING_COLUMNS, HISTORY_COLUMNS, KEPT_COLUMNS } from './history.columns.js';
import { RESENT } from './record.js';
import type { Ending } from './settle.repository.js';
import { LINK_BOUND, stateAfter, STATES_AFTER_JSON, statesBefore } from './state.js';

/** What an inventory made of one row that was out with the broker. */
export type Adopted = Ending & {
  verdict: 'adopt' | 'resend' | 'requeue' | 'fail' | 'exhaust' | 'lapse' | 'cancel' | 'expire';
  remainingMs: number;
  cancelRequested: boolean;
};

const REPEATABLE_OPS = Object.entries(OPS)
  .filter(([, { repeatable }]) => repeatable)
  .map(([op]) => op);

const ADOPTED_COLUMNS = `${ENDING_COLUMNS},
         greatest(0, floor(extract(epoch from deadline_at - now()) * 1000))::bigint as "remainingMs",
         cancel_requested_at is not null as "cancelRequested"`;

// `said` is what the broker's journal knows. A row it does not know was never begun, if it was claimed for this very
// journal; if it was claimed for another one, nobody can say. Rows claimed under the epoch of this link itself are
// passed over: the inventory was told before they were sent. They exist where this statement is a repeat of one
// whose answer was lost, and which may still be on its way. A row that the journal knows by an earlier attempt is
// sent again as it is, so that the broker's journal answers for the attempt that counts. What its caller gave up,
// what is bound to the link that is over, or is past its deadline, is not put back: no sweep looks for what became pending
// after its deadline had passed.
const RECONCILE = statement(
  'reconcile_inventory',
  `
  with owned as materialized (
    select connection.broker_id, coalesce(floor.seq, 0) as floor
    from broker_connection connection
    left join broker_dispatch_floor floor on floor.broker_id = $1
    where connection.broker_id = $1 and connection.replica_id = $2 and connection.epoch = $3
    for share of connection
  ),
  judged as materialized (
    select dispatch.id, said.status is null and dispatch.claim_journal = $4 as was_never_begun,
           case
             when said.status in ('running', 'ended') and said.attempt = dispatch.attempt then 'adopt'
             when said.status in ('running', 'ended') and dispatch.state = any ($14::text[]) then 'resend'
             when said.status is null and dispatch.claim_journal = $4 then case
               when dispatch.cancel_requested_at is not null then 'cancel'
               when dispatch.contract = any ($13::text[]) then 'lapse'
               when dispatch.deadline_at <= now() then 'expire'
               else 'requeue'
             end
             when dispatch.op <> all ($8::text[]) then 'fail'
             when dispatch.cancel_requested_at is not null or dispatch.contract = any ($13::text[]) then 'fail'
             when dispatch.deadline_at <= now() then 'expire'
             when dispatch.failures + 1 >= dispatch.max_failures then 'exhaust'
             else 'retry'
           end as verdict
    from owned
    cross join lateral (
      select dispatch.*
      from broker_dispatch dispatch
      where dispatch.broker_id = owned.broker_id and dispatch.seq >= owned.floor
        and dispatch.state = any ($9::text[]) and dispatch.claim_epoch <> $3
      order by dispatch.seq
      for update of dispatch
    ) dispatch
    left join unnest($5::uuid[], $6::integer[], $7::text[]) as said (id, attempt, status) on said.id = dispatch.id
  ),
  out as materialized (
    select judged.*, verdict in ('adopt', 'resend') as is_held,
           case verdict when 'adopt' then $10 when 'requeue' then $11 when 'retry' then $11
                        else $12::jsonb ->> verdict end as next_state
    from judged
  ),
  kept as (
    update broker_dispatch dispatch
    set state = coalesce(out.next_state, dispatch.state),
        claimed_by = case when out.is_held then $2::uuid end,
        claim_epoch = case when out.is_held then $3::bigint end,
        claim_journal = case when out.is_held then $4::uuid end,
        claimed_at = case when out.is_held then dispatch.claimed_at end,
        failures = dispatch.failures + case when out.verdict = 'retry' then 1 else 0 end,
        trail = append_step(dispatch.trail, jsonb_build_object(
          'state', coalesce(out.next_state, dispatch.state), 'at', clock_timestamp(),
          'replica', $2::uuid, 'epoch', $3::bigint, 'attempt', dispatch.attempt,
          'reason', case out.verdict
            when 'adopt' then 'adopted'
            when 'resend' then '${RESENT}'
            when 'requeue' then 'never_begun'
            else 'begun_and_lost'
          end
        ))
    from out
    where ${sought('dispatch.id', 'out.id')} and out.verdict in ('adopt', 'resend', 'requeue', 'retry')
    returning dispatch.*, case when out.verdict = 'retry' then 'requeue' else out.verdict end as verdict
  ),
  removed as (
    delete from broker_dispatch dispatch
    using out
    where ${sought('dispatch.id', 'out.id')} and out.verdict in ('fail', 'exhaust', 'lapse', 'cancel', 'expire')
    returning dispatch.*, out.verdict, out.next_state as ended_state,
              case
                when out.verdict = 'lapse' then jsonb_build_object(
                  'code', 'broker_offline', 'retryable', false, 'data', jsonb_build_object('effect', 'none'),
                  'message', 'The link that it went out on ended before it was begun.')
                when out.verdict = 'expire' and out.was_never_begun and dispatch.failures = 0
                  then ${PASSED_BEFORE_BEGUN}
                when out.verdict = 'expire' then ${PASSED_BEFORE_AGAIN}
                when out.verdict <> 'cancel' then jsonb_build_object(
                  'code', 'outcome_unknown', 'retryable', false,
                  'message', 'The broker lost its record of this command after it was sent.')
              end as ended_error
  ),
  ended as (
    insert into broker_dispatch_history (${HISTORY_COLUMNS})
    select ${KEPT_COLUMNS},
           ended_state, failures + case when verdict in ('fail', 'exhaust') then 1 else 0 end, null, ended_error,
           append_step(trail, jsonb_build_object(
             'state', ended_state, 'at', clock_timestamp(), 'replica', $2::uuid, 'epoch', $3::bigint,
             'attempt', attempt, 'reason', coalesce(ended_error ->> 'code', 'stopped')
           ))
    from removed
    returning *
  )
  select ${ADOPTED_COLUMNS}, verdict from kept
  union all
  select ${ADOPTED_COLUMNS}, out.verdict from ended join out using (id)
  union all
  select null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null from owned
  `,
);

// A row that is live with another broker is none of this one's: its journal may be a copy of that one's.
const NOT_LIVE = statement(
  'find_ids_not_live',
  `
  select asked.id
  from unnest($2::uuid[]) as asked (id)
  where (select dispatch.broker_id from broker_dispatch dispatch where dispatch.id = asked.id) is distinct from $1
  `,
);

const READ_OUT = statement(
  'read_dispatches_out',
  `
  select asked.id, dispatch.seq, dispatch.state = any ($2::text[]) as "isOut",
         dispatch.cancel_requested_at is not null as "cancelRequested"
  from unnest($1::uuid[]) as asked (id)
  left join broker_dispatch dispatch on ${sought('dispatch.id', 'asked.id')}
  `,
);

/** What the rows say of a command that memory holds for sent. */
export type Out = {
  id: string;
  /** null where it has ended. */
  seq: number | null;
  /** false where it is pending again, null where it has ended. */
  isOut: boolean | null;
  cancelRequested: boolean;
};

/** SQL that compares what a broker's journal knows with the rows that are out with it. */
@Injectable()
export class InventoryRepository {
  constructor(private readonly database: Database) {}

  /**
   * Judges every row that is out with the broker by its inventory: adopted, put back, or ended as unknown.
   *
   * @returns undefined where this replica does not own the broker under this epoch: then nothing was changed
   */
  async reconcile(
    link: { brokerId: string; replicaId: string; epoch: number; journalId: string },
    entries: readonly InventoryEntry[],
  ): Promise<Adopted[] | undefined> {
    const rows = await this.database.run<Adopted & { id: string | null }>(RECONCILE, [
      link.brokerId,
      link.replicaId,
      link.epoch,
      link.journalId,
      entries.map(({ id }) => id),
      entries.map(({ attempt }) => attempt),
      entries.map(({ status }) => status),
      REPEATABLE_OPS,
      statesBefore('adopt'),
      stateAfter('adopt'),
      stateAfter('requeue'),
      STATES_AFTER_JSON,
      LINK_BOUND,
      statesBefore('resend'),
    ]);
    if (rows.length === 0) return undefined;
    return rows.filter(({ id }) => id !== null);
  }

  /** Of some ids that a broker told, those that are no live row of it: ended here, or never known. */
  async notLive(brokerId: string, ids: readonly string[]): Promise<Set<string>> {
    const rows = await this.database.run<{ id: string }>(NOT_LIVE, [brokerId, ids]);
    return new Set(rows.map(({ id }) => id));
  }

  async readOut(ids: readonly string[]): Promise<Out[]> {
    return this.database.run(READ_OUT, [ids, statesBefore('requeue')]);
  }
}
