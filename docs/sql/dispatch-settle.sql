-- src/hub/dispatch/settle.repository.ts

-- ack_dispatches
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
where dispatch.id = locked.id;

-- settle_dispatches
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
insert into broker_dispatch_history (
  id, seq, broker_id, agent_id, op, args, lane, ordering_key, state, attempt, failures, max_failures,
  deadline_at, claimed_by, claim_epoch, claim_journal, claimed_at, origin_replica, initiator, trail,
  created_at, result, error)
select id, seq, broker_id, agent_id, op, args, lane, ordering_key, ended_state, attempt, failures, max_failures,
       deadline_at, claimed_by, claim_epoch, claim_journal, claimed_at, origin_replica, initiator,
       append_step(trail, jsonb_strip_nulls(jsonb_build_object(
         'state', ended_state, 'at', clock_timestamp(), 'replica', $8::uuid, 'epoch', claim_epoch, 'attempt', attempt,
         'reason', error ->> 'code'
       ))),
       created_at, result, error
from removed

returning id, seq, broker_id as "brokerId", agent_id as "agentId", op, ordering_key as "orderingKey",
          origin_replica as "originReplica", state;

-- read_standings
select id, broker_id as "brokerId", state, attempt, null as "errorCode"
from broker_dispatch where id = any ($1::uuid[])
union all
select id, broker_id, state, attempt, error ->> 'code'
from broker_dispatch_history where id = any ($1::uuid[]);

-- note_late_results
update broker_dispatch_history ended
set trail = append_step(ended.trail, jsonb_build_object(
  'state', 'late_result', 'at', clock_timestamp(), 'attempt', late.attempt, 'reason', late.outcome
))
from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[]) as late (id, broker_id, attempt, outcome)
where ended.id = late.id and ended.broker_id = late.broker_id;

-- expire_overdue
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
insert into broker_dispatch_history (
  id, seq, broker_id, agent_id, op, args, lane, ordering_key, state, attempt, failures, max_failures,
  deadline_at, claimed_by, claim_epoch, claim_journal, claimed_at, origin_replica, initiator, trail,
  created_at, result, error)
select id, seq, broker_id, agent_id, op, args, lane, ordering_key, $3, attempt, failures, max_failures,
       deadline_at, claimed_by, claim_epoch, claim_journal, claimed_at, origin_replica, initiator,
       append_step(trail, jsonb_build_object(
         'state', $3::text, 'at', clock_timestamp(), 'replica', $4::uuid, 'attempt', attempt, 'reason', 'deadline_passed'
       )),
       created_at, null, error
from removed

returning id, seq, broker_id as "brokerId", agent_id as "agentId", op, ordering_key as "orderingKey",
          origin_replica as "originReplica", state;
