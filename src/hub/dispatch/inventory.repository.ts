import { Injectable } from '@nestjs/common';
import type { InventoryEntry } from '../../protocol/frame.js';
import { OPS } from '../../protocol/op.js';
import { Database } from '../database/database.js';
import { statement } from '../database/statement.js';
import type { Ending } from './settle.repository.js';
import { stateAfter, statesBefore } from './state.js';

/** What an inventory made of one row that was out with the broker. */
export type Adopted = Ending & { verdict: 'adopt' | 'requeue' | 'fail' | 'exhaust'; attempt: number };

const REPEATABLE_OPS = Object.entries(OPS)
  .filter(([, { repeatable }]) => repeatable)
  .map(([op]) => op);

// `said` is what the broker's journal knows. A row it does not know was never begun, if it was claimed for this very
// journal; if it was claimed for another one, nobody can say. Rows claimed under the epoch of this link itself are
// passed over: the inventory was told before they were sent. They exist where this statement is a repeat of one
// whose answer was lost, and which may still be on its way. A row that the journal knows by another attempt is sent
// again, so that the broker's journal answers for the attempt that counts.
const RECONCILE = statement(
  'reconcile_inventory',
  `
  with owned as materialized (
    select broker_id from broker_connection
    where broker_id = $1 and replica_id = $2 and epoch = $3
    for share
  ),
  out as materialized (
    select dispatch.id,
           case
             when said.status in ('running', 'ended') and said.attempt = dispatch.attempt then 'adopt'
             when said.status in ('running', 'ended') then 'repeat'
             when said.status is null and dispatch.claim_journal = $4 then 'requeue'
             when dispatch.op <> all ($8::text[]) then 'fail'
             when dispatch.failures + 1 >= dispatch.max_failures then 'exhaust'
             else 'retry'
           end as verdict
    from broker_dispatch dispatch
    join owned on owned.broker_id = dispatch.broker_id
    left join unnest($5::uuid[], $6::integer[], $7::text[]) as said (id, attempt, status) on said.id = dispatch.id
    where dispatch.state = any ($9::text[]) and dispatch.claim_epoch <> $3
    order by dispatch.seq
    for update of dispatch
  ),
  kept as (
    update broker_dispatch dispatch
    set state = case when out.verdict = 'adopt' then $10 else $11 end,
        claimed_by = case when out.verdict = 'adopt' then $2::uuid end,
        claim_epoch = case when out.verdict = 'adopt' then $3::bigint end,
        claim_journal = case when out.verdict = 'adopt' then $4::uuid end,
        claimed_at = case when out.verdict = 'adopt' then dispatch.claimed_at end,
        failures = dispatch.failures + case when out.verdict = 'retry' then 1 else 0 end,
        trail = append_step(dispatch.trail, jsonb_build_object(
          'state', case when out.verdict = 'adopt' then $10 else $11 end, 'at', clock_timestamp(),
          'replica', $2::uuid, 'epoch', $3::bigint, 'attempt', dispatch.attempt,
          'reason', case out.verdict
            when 'adopt' then 'adopted'
            when 'repeat' then 'known_by_another_attempt'
            when 'requeue' then 'never_begun'
            else 'begun_and_lost'
          end
        ))
    from out
    where dispatch.id = out.id and out.verdict in ('adopt', 'repeat', 'requeue', 'retry')
    returning dispatch.id, dispatch.seq, dispatch.broker_id, dispatch.agent_id, dispatch.op, dispatch.ordering_key,
              dispatch.origin_replica, dispatch.state, dispatch.attempt,
              case when out.verdict = 'adopt' then 'adopt' else 'requeue' end as verdict
  ),
  removed as (
    delete from broker_dispatch dispatch
    using out
    where dispatch.id = out.id and out.verdict in ('fail', 'exhaust')
    returning dispatch.*, out.verdict,
              case out.verdict when 'fail' then $12 else $13 end as ended_state,
              jsonb_build_object('code', 'outcome_unknown', 'retryable', false,
                                 'message', 'The broker lost its record of this command after it was sent.') as error
  ),
  ended as (
    insert into broker_dispatch_history
      (id, seq, broker_id, agent_id, op, args, lane, ordering_key, state, attempt, failures, max_failures,
       deadline_at, claimed_by, claim_epoch, claim_journal, claimed_at, origin_replica, initiator, trail,
       created_at, result, error)
    select id, seq, broker_id, agent_id, op, args, lane, ordering_key, ended_state, attempt, failures + 1, max_failures,
           deadline_at, claimed_by, claim_epoch, claim_journal, claimed_at, origin_replica, initiator,
           append_step(trail, jsonb_build_object(
             'state', ended_state, 'at', clock_timestamp(), 'replica', $2::uuid, 'epoch', $3::bigint, 'attempt', attempt,
             'reason', 'outcome_unknown'
           )),
           created_at, null, error
    from removed
    returning id, seq, broker_id, agent_id, op, ordering_key, origin_replica, state, attempt
  )
  select kept.id, kept.seq, kept.broker_id as "brokerId", kept.agent_id as "agentId", kept.op,
         kept.ordering_key as "orderingKey", kept.origin_replica as "originReplica", kept.state, kept.attempt,
         kept.verdict, true as owned
  from kept
  union all
  select ended.id, ended.seq, ended.broker_id, ended.agent_id, ended.op, ended.ordering_key, ended.origin_replica,
         ended.state, ended.attempt, out.verdict, true
  from ended join out on out.id = ended.id
  union all
  select null, null, null, null, null, null, null, null, null, null, true from owned
  `,
);

const NOT_LIVE = statement(
  'find_ids_not_live',
  `
  select asked.id
  from unnest($1::uuid[]) as asked (id)
  where not exists (select from broker_dispatch dispatch where dispatch.id = asked.id)
  `,
);

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
      stateAfter('fail'),
      stateAfter('exhaust'),
    ]);
    if (rows.length === 0) return undefined;
    return rows.filter(({ id }) => id !== null);
  }

  /** Of some ids, those that have no live row: ended here, or never known. */
  async notLive(ids: readonly string[]): Promise<string[]> {
    return (await this.database.run<{ id: string }>(NOT_LIVE, [ids])).map(({ id }) => id);
  }
}
