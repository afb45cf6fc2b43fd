-- src/hub/dispatch/ending.repository.ts

-- expire_overdue
with waiting as materialized (
  select dispatch.id
  from broker_dispatch dispatch
  where dispatch.deadline_at < now()
    and dispatch.deadline_at >= now() - make_interval(secs => $1::double precision)
    and dispatch.state = any ($2::text[]) and dispatch.state = 'pending'
  order by dispatch.deadline_at
  limit $3
  for update of dispatch skip locked
),
silent as materialized (
  select dispatch.id
  from broker_dispatch dispatch
  where dispatch.deadline_at < now() - interval '30 seconds'
    and dispatch.deadline_at >= now() - interval '30 seconds' - make_interval(secs => $1::double precision)
    and dispatch.state = any ($2::text[]) and dispatch.state <> 'pending'
  order by dispatch.deadline_at
  limit $3
  for update of dispatch skip locked
),
locked as (select id from waiting union all select id from silent),
removed as (
  delete from broker_dispatch dispatch
  using locked
  where dispatch.id between locked.id and locked.id
  returning dispatch.*
),
ended as (
  insert into broker_dispatch_history (
  id, seq, project_id, broker_id, agent_id, op, args, lane, ordering_key, attempt, max_failures, contract, link_epoch,
  not_before, retry_at, deadline_at, cancel_requested_at, claimed_by, claim_epoch, claim_journal, claimed_at,
  origin_replica, redrive_of, initiator, progress, created_at,
  state, failures, result, error, trail)
  select
  id, seq, project_id, broker_id, agent_id, op, args, lane, ordering_key, attempt, max_failures, contract, link_epoch,
  not_before, retry_at, deadline_at, cancel_requested_at, claimed_by, claim_epoch, claim_journal, claimed_at,
  origin_replica, redrive_of, initiator, progress, created_at,
         $4::text, failures, null,
         case
           when state = 'pending' and failures = 0
           then jsonb_build_object('code', 'deadline_passed', 'message', 'The deadline passed before it was begun.',
                                   'retryable', false, 'data', jsonb_build_object('effect', 'none'))
           when state = 'pending'
           then jsonb_build_object('code', 'deadline_passed', 'message', 'The deadline passed before it was done again.',
                                   'retryable', false, 'data', jsonb_build_object('effect', 'unknown'))
           else jsonb_build_object('code', 'deadline_passed', 'message', 'The deadline passed without the broker''s word.',
                                   'retryable', false, 'data', jsonb_build_object('effect', 'unknown'))
         end,
         append_step(trail, jsonb_build_object(
           'state', $4::text, 'at', clock_timestamp(), 'replica', $5::uuid, 'attempt', attempt,
           'reason', 'deadline_passed'
         ))
  from removed
  returning *
)
select
  id, seq, broker_id as "brokerId", agent_id as "agentId", op, lane, ordering_key as "orderingKey",
  origin_replica as "originReplica", state, attempt,
  date_part('epoch', now() - greatest(created_at, not_before)) as "ageS",
  date_part('epoch', now() - claimed_at) as "outS",
  initiator ->> 'traceparent' as traceparent from ended;

-- cancel_dispatch
with locked as materialized (
  select dispatch.id, dispatch.state
  from broker_dispatch dispatch
  where dispatch.id = $1 and dispatch.state = any ($2::text[])
  for update of dispatch
),
removed as (
  delete from broker_dispatch dispatch
  using locked
  where dispatch.id between locked.id and locked.id and locked.state = 'pending'
  returning dispatch.*
),
ended as (
  insert into broker_dispatch_history (
  id, seq, project_id, broker_id, agent_id, op, args, lane, ordering_key, attempt, max_failures, contract, link_epoch,
  not_before, retry_at, deadline_at, cancel_requested_at, claimed_by, claim_epoch, claim_journal, claimed_at,
  origin_replica, redrive_of, initiator, progress, created_at,
  state, failures, result, error, trail)
  select
  id, seq, project_id, broker_id, agent_id, op, args, lane, ordering_key, attempt, max_failures, contract, link_epoch,
  not_before, retry_at, deadline_at, coalesce(cancel_requested_at, now()), claimed_by, claim_epoch, claim_journal, claimed_at,
  origin_replica, redrive_of, initiator, progress, created_at,
         $3::text, failures, null, null,
         append_step(trail, jsonb_build_object(
           'state', $3::text, 'at', clock_timestamp(), 'replica', $4::uuid, 'attempt', attempt,
           'reason', case when attempt = 0 then 'never_sent' else 'stopped' end
         ))
  from removed
  returning *
),
marked as (
  update broker_dispatch dispatch
  set cancel_requested_at = now(),
      trail = append_step(dispatch.trail, jsonb_build_object(
        'state', 'cancel_requested', 'at', clock_timestamp(), 'replica', $4::uuid, 'attempt', dispatch.attempt
      ))
  from locked
  where dispatch.id between locked.id and locked.id and locked.state <> 'pending' and dispatch.cancel_requested_at is null
  returning dispatch.id
)
select found.*, connection.replica_id as owner
from (
  select
  id, seq, broker_id as "brokerId", agent_id as "agentId", op, lane, ordering_key as "orderingKey",
  origin_replica as "originReplica", state, attempt,
  date_part('epoch', now() - greatest(created_at, not_before)) as "ageS",
  date_part('epoch', now() - claimed_at) as "outS",
  initiator ->> 'traceparent' as traceparent, true as "hasEnded" from ended
  union all
  select
  id, seq, broker_id as "brokerId", agent_id as "agentId", op, lane, ordering_key as "orderingKey",
  origin_replica as "originReplica", state, attempt,
  date_part('epoch', now() - greatest(created_at, not_before)) as "ageS",
  date_part('epoch', now() - claimed_at) as "outS",
  initiator ->> 'traceparent' as traceparent, false
  from broker_dispatch where id = any (array(select id from locked where state <> 'pending'))
) found
left join broker_connection connection on connection.broker_id = found."brokerId";

-- supersede_dispatches
with asked as materialized (
  select asked.broker_id, asked.ordering_key,
         coalesce((select floor.seq from broker_dispatch_floor floor where floor.broker_id = asked.broker_id), 0) as floor
  from (select distinct * from unnest($1::uuid[], $2::text[]) as told (broker_id, ordering_key)) asked
),
locked as materialized (
  select dispatch.id
  from asked
  cross join lateral (
    select dispatch.id
    from broker_dispatch dispatch
    where dispatch.ordering_key is not null
      and (dispatch.ordering_key, dispatch.broker_id, dispatch.seq) between (asked.ordering_key, asked.broker_id, asked.floor) and (asked.ordering_key, asked.broker_id, 9223372036854775807)
      and dispatch.contract = 'latest_only' and dispatch.state = any ($3::text[])
      and exists (
        select from broker_dispatch later
        where later.ordering_key is not null
      and (later.ordering_key, later.broker_id, later.seq) between (dispatch.ordering_key, dispatch.broker_id, dispatch.seq + 1) and (dispatch.ordering_key, dispatch.broker_id, 9223372036854775807)
          and later.contract = 'latest_only'
        offset 0
      )
    order by dispatch.seq
    for update of dispatch skip locked
  ) dispatch
),
removed as (
  delete from broker_dispatch dispatch
  using locked
  where dispatch.id between locked.id and locked.id
  returning dispatch.*
),
ended as (
  insert into broker_dispatch_history (
  id, seq, project_id, broker_id, agent_id, op, args, lane, ordering_key, attempt, max_failures, contract, link_epoch,
  not_before, retry_at, deadline_at, cancel_requested_at, claimed_by, claim_epoch, claim_journal, claimed_at,
  origin_replica, redrive_of, initiator, progress, created_at,
  state, failures, result, error, trail)
  select
  id, seq, project_id, broker_id, agent_id, op, args, lane, ordering_key, attempt, max_failures, contract, link_epoch,
  not_before, retry_at, deadline_at, cancel_requested_at, claimed_by, claim_epoch, claim_journal, claimed_at,
  origin_replica, redrive_of, initiator, progress, created_at,
         $4::text, failures, null,
         jsonb_build_object('code', 'superseded', 'retryable', false,
                            'message', 'A later command of its key took its place.'),
         append_step(trail, jsonb_build_object(
           'state', $4::text, 'at', clock_timestamp(), 'replica', $5::uuid, 'attempt', attempt,
           'reason', 'superseded'
         ))
  from removed
  returning *
)
select
  id, seq, broker_id as "brokerId", agent_id as "agentId", op, lane, ordering_key as "orderingKey",
  origin_replica as "originReplica", state, attempt,
  date_part('epoch', now() - greatest(created_at, not_before)) as "ageS",
  date_part('epoch', now() - claimed_at) as "outS",
  initiator ->> 'traceparent' as traceparent from ended;

-- lapse_link_bound
with gone as materialized (
  select asked.broker_id, asked.epoch,
         coalesce((select floor.seq from broker_dispatch_floor floor where floor.broker_id = asked.broker_id), 0) as floor
  from (select unnest($1::uuid[]) as broker_id, unnest($2::bigint[]) as epoch) asked
),
locked as materialized (
  select dispatch.id
  from gone
  cross join lateral (
    select dispatch.id
    from broker_dispatch dispatch
    where dispatch.broker_id = gone.broker_id
      and dispatch.seq >= gone.floor
      and dispatch.contract in ('now_or_fail', 'on_attach')
      and dispatch.link_epoch <= gone.epoch
      and dispatch.state = 'pending'
    order by dispatch.seq
    for update of dispatch skip locked
  ) dispatch
),
removed as (
  delete from broker_dispatch dispatch
  using locked
  where dispatch.id between locked.id and locked.id
  returning dispatch.*
),
ended as (
  insert into broker_dispatch_history (
  id, seq, project_id, broker_id, agent_id, op, args, lane, ordering_key, attempt, max_failures, contract, link_epoch,
  not_before, retry_at, deadline_at, cancel_requested_at, claimed_by, claim_epoch, claim_journal, claimed_at,
  origin_replica, redrive_of, initiator, progress, created_at,
  state, failures, result, error, trail)
  select
  id, seq, project_id, broker_id, agent_id, op, args, lane, ordering_key, attempt, max_failures, contract, link_epoch,
  not_before, retry_at, deadline_at, cancel_requested_at, claimed_by, claim_epoch, claim_journal, claimed_at,
  origin_replica, redrive_of, initiator, progress, created_at,
         $3::text, failures, null,
         jsonb_build_object('code', 'broker_offline', 'retryable', false, 'data', jsonb_build_object('effect', 'none'),
                            'message', 'The link that it was to go out on ended before it was begun.'),
         append_step(trail, jsonb_build_object(
           'state', $3::text, 'at', clock_timestamp(), 'replica', $4::uuid, 'attempt', attempt,
           'reason', 'broker_offline'
         ))
  from removed
  returning *
)
select
  id, seq, broker_id as "brokerId", agent_id as "agentId", op, lane, ordering_key as "orderingKey",
  origin_replica as "originReplica", state, attempt,
  date_part('epoch', now() - greatest(created_at, not_before)) as "ageS",
  date_part('epoch', now() - claimed_at) as "outS",
  initiator ->> 'traceparent' as traceparent from ended;

-- lapse_bound_to_links_that_are_over
with locked as materialized (
  select dispatch.id
  from broker_dispatch dispatch
  left join broker_connection connection on connection.broker_id between dispatch.broker_id and dispatch.broker_id
  where $1::uuid[] is null
    and dispatch.contract in ('now_or_fail', 'on_attach')
    and dispatch.state = 'pending'
    and (connection.epoch > dispatch.link_epoch
         or dispatch.link_epoch is not null and connection.replica_id is null)
  order by dispatch.seq
  limit $2
  for update of dispatch skip locked
),
removed as (
  delete from broker_dispatch dispatch
  using locked
  where dispatch.id between locked.id and locked.id
  returning dispatch.*
),
ended as (
  insert into broker_dispatch_history (
  id, seq, project_id, broker_id, agent_id, op, args, lane, ordering_key, attempt, max_failures, contract, link_epoch,
  not_before, retry_at, deadline_at, cancel_requested_at, claimed_by, claim_epoch, claim_journal, claimed_at,
  origin_replica, redrive_of, initiator, progress, created_at,
  state, failures, result, error, trail)
  select
  id, seq, project_id, broker_id, agent_id, op, args, lane, ordering_key, attempt, max_failures, contract, link_epoch,
  not_before, retry_at, deadline_at, cancel_requested_at, claimed_by, claim_epoch, claim_journal, claimed_at,
  origin_replica, redrive_of, initiator, progress, created_at,
         $3::text, failures, null,
         jsonb_build_object('code', 'broker_offline', 'retryable', false, 'data', jsonb_build_object('effect', 'none'),
                            'message', 'The link that it was to go out on ended before it was begun.'),
         append_step(trail, jsonb_build_object(
           'state', $3::text, 'at', clock_timestamp(), 'replica', $4::uuid, 'attempt', attempt,
           'reason', 'broker_offline'
         ))
  from removed
  returning *
)
select
  id, seq, broker_id as "brokerId", agent_id as "agentId", op, lane, ordering_key as "orderingKey",
  origin_replica as "originReplica", state, attempt,
  date_part('epoch', now() - greatest(created_at, not_before)) as "ageS",
  date_part('epoch', now() - claimed_at) as "outS",
  initiator ->> 'traceparent' as traceparent from ended;

-- lapse_those_bound_to_links_that_are_over
with locked as materialized (
  select dispatch.id
  from broker_dispatch dispatch
  left join broker_connection connection on connection.broker_id between dispatch.broker_id and dispatch.broker_id
  where dispatch.id = any ($1::uuid[])
    and dispatch.contract = any ($5::text[])
    and dispatch.state = 'pending'
    and (connection.epoch > dispatch.link_epoch
         or dispatch.link_epoch is not null and connection.replica_id is null)
  order by dispatch.seq
  limit $2
  for update of dispatch skip locked
),
removed as (
  delete from broker_dispatch dispatch
  using locked
  where dispatch.id between locked.id and locked.id
  returning dispatch.*
),
ended as (
  insert into broker_dispatch_history (
  id, seq, project_id, broker_id, agent_id, op, args, lane, ordering_key, attempt, max_failures, contract, link_epoch,
  not_before, retry_at, deadline_at, cancel_requested_at, claimed_by, claim_epoch, claim_journal, claimed_at,
  origin_replica, redrive_of, initiator, progress, created_at,
  state, failures, result, error, trail)
  select
  id, seq, project_id, broker_id, agent_id, op, args, lane, ordering_key, attempt, max_failures, contract, link_epoch,
  not_before, retry_at, deadline_at, cancel_requested_at, claimed_by, claim_epoch, claim_journal, claimed_at,
  origin_replica, redrive_of, initiator, progress, created_at,
         $3::text, failures, null,
         jsonb_build_object('code', 'broker_offline', 'retryable', false, 'data', jsonb_build_object('effect', 'none'),
                            'message', 'The link that it was to go out on ended before it was begun.'),
         append_step(trail, jsonb_build_object(
           'state', $3::text, 'at', clock_timestamp(), 'replica', $4::uuid, 'attempt', attempt,
           'reason', 'broker_offline'
         ))
  from removed
  returning *
)
select
  id, seq, broker_id as "brokerId", agent_id as "agentId", op, lane, ordering_key as "orderingKey",
  origin_replica as "originReplica", state, attempt,
  date_part('epoch', now() - greatest(created_at, not_before)) as "ageS",
  date_part('epoch', now() - claimed_at) as "outS",
  initiator ->> 'traceparent' as traceparent from ended;

-- bind_to_link
with ready as (
  insert into broker_dispatch_floor (broker_id, seq, ready_epoch) values ($1, 0, $2)
  on conflict (broker_id) do update
  set ready_epoch = greatest(broker_dispatch_floor.ready_epoch, excluded.ready_epoch)
)
update broker_dispatch
set link_epoch = $2
where broker_id = $1 and seq >= coalesce((select floor.seq from broker_dispatch_floor floor where floor.broker_id = $1), 0) and contract = 'on_attach' and link_epoch is null;
