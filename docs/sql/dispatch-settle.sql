-- src/hub/dispatch/settle.repository.ts

-- ack_dispatches
with relaxed as materialized (select set_config('synchronous_commit', 'off', true)),
locked as materialized (
  select dispatch.id, dispatch.attempt
  from relaxed
  cross join (select unnest($1::uuid[]) as id, unnest($2::uuid[]) as broker_id, unnest($3::integer[]) as attempt) said
  join broker_dispatch dispatch on dispatch.id between said.id and said.id
  where dispatch.broker_id is not distinct from said.broker_id
    and dispatch.attempt = said.attempt
    and dispatch.state = any ($4::text[])
  order by dispatch.seq
  for update of dispatch
)
update broker_dispatch dispatch
set state = $5,
    trail = case when cardinality(dispatch.trail) < 64 then dispatch.trail || ('{"state":"' || $5::text || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $6::uuid || '","epoch":' || dispatch.claim_epoch || ',"attempt":' || dispatch.attempt || '}') else append_step(dispatch.trail, ('{"state":"' || $5::text || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $6::uuid || '","epoch":' || dispatch.claim_epoch || ',"attempt":' || dispatch.attempt || '}')::jsonb) end
from locked
where dispatch.id between locked.id and locked.id;

-- settle_dispatches
with said as materialized (
  select unnest($1::uuid[]) as id, unnest($2::uuid[]) as broker_id, unnest($3::integer[]) as attempt, unnest($4::text[]) as word, unnest($5::text[]) as result, unnest($6::text[]) as error
),
placed as materialized (
  select said.*
  from said
  cross join lateral (
    select dispatch.seq from broker_dispatch dispatch where dispatch.id between said.id and said.id offset 0
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
           when said.word = 'cancel' and dispatch.cancel_requested_at is null
             and dispatch.deadline_at <= now() + interval '5 seconds' then 'expire'
           else said.word
         end as happening
  from placed said
  cross join lateral (
    select dispatch.id, dispatch.contract, dispatch.deadline_at, dispatch.cancel_requested_at,
           dispatch.failures, dispatch.max_failures
    from broker_dispatch dispatch
    where dispatch.id between said.id and said.id
      and dispatch.broker_id is not distinct from said.broker_id
      and dispatch.attempt = said.attempt
      and dispatch.state = any ($7::text[])
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
  where dispatch.id between locked.id and locked.id and locked.happening = 'retry'
  returning dispatch.*
),
removed as (
  delete from broker_dispatch dispatch
  using locked
  where dispatch.id between locked.id and locked.id and locked.happening <> 'retry'
  returning dispatch.*, locked.happening, locked.said_result, locked.told_error
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
         ended_state, failures + case when happening = 'exhaust' then 1 else 0 end, said_result, said_error,
         case
           when said_error is null then case when cardinality(trail) < 64 then trail || ('{"state":"' || ended_state || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $8::uuid || '","epoch":' || claim_epoch || ',"attempt":' || attempt || '}') else append_step(trail, ('{"state":"' || ended_state || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $8::uuid || '","epoch":' || claim_epoch || ',"attempt":' || attempt || '}')::jsonb) end
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
    from removed
  ) removed
  returning id, seq, broker_id, agent_id, op, lane, ordering_key, origin_replica, state, attempt, created_at,
            not_before, claimed_at, initiator, ended_at, claimed_by,
            case when state = any ($10::text[]) and failures = 0 and progress is null
                   and cancel_requested_at is null and retry_at is null then claim_epoch end as claim_epoch
)
select
  id, seq, broker_id as "brokerId", agent_id as "agentId", op, lane, ordering_key as "orderingKey",
  origin_replica as "originReplica", state, attempt,
  date_part('epoch', now() - greatest(created_at, not_before)) as "ageS",
  date_part('epoch', now() - claimed_at) as "outS",
  initiator ->> 'traceparent' as traceparent, trunc(date_part('epoch', ended_at) * 1000) as "endedAtMs", claimed_by as "claimedBy",
       claim_epoch as "claimEpoch", null::text as contract
from ended
union all
select
  id, seq, broker_id as "brokerId", agent_id as "agentId", op, lane, ordering_key as "orderingKey",
  origin_replica as "originReplica", state, attempt,
  date_part('epoch', now() - greatest(created_at, not_before)) as "ageS",
  date_part('epoch', now() - claimed_at) as "outS",
  initiator ->> 'traceparent' as traceparent, null, null, null, contract from retried;

-- settle_dispatches_of_one
with removed as (
  delete from broker_dispatch dispatch
  using (select $1::uuid as id, $2::uuid as broker_id, $3::integer as attempt, $4::text as word, $5::text as result, $6::text as error) said
  where dispatch.id between said.id and said.id
      and dispatch.broker_id is not distinct from said.broker_id
      and dispatch.attempt = said.attempt
      and dispatch.state = any ($7::text[])
  returning dispatch.*, said.word, said.result::jsonb as said_result, said.error::jsonb as told_error
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
         ended_state, failures + case when happening = 'exhaust' then 1 else 0 end, said_result, said_error,
         case
           when said_error is null then case when cardinality(trail) < 64 then trail || ('{"state":"' || ended_state || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $8::uuid || '","epoch":' || claim_epoch || ',"attempt":' || attempt || '}') else append_step(trail, ('{"state":"' || ended_state || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $8::uuid || '","epoch":' || claim_epoch || ',"attempt":' || attempt || '}')::jsonb) end
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
    from (
      select removed.*, case when word = 'cancel' and removed.cancel_requested_at is null
             and removed.deadline_at <= now() + interval '5 seconds' then 'expire' else word end as happening
      from removed
    ) removed
  ) removed
  returning id, seq, broker_id, agent_id, op, lane, ordering_key, origin_replica, state, attempt, created_at,
            not_before, claimed_at, initiator, ended_at, claimed_by,
            case when state = any ($10::text[]) and failures = 0 and progress is null
                   and cancel_requested_at is null and retry_at is null then claim_epoch end as claim_epoch
)
select
  id, seq, broker_id as "brokerId", agent_id as "agentId", op, lane, ordering_key as "orderingKey",
  origin_replica as "originReplica", state, attempt,
  date_part('epoch', now() - greatest(created_at, not_before)) as "ageS",
  date_part('epoch', now() - claimed_at) as "outS",
  initiator ->> 'traceparent' as traceparent, trunc(date_part('epoch', ended_at) * 1000) as "endedAtMs", claimed_by as "claimedBy",
       claim_epoch as "claimEpoch", null::text as contract
from ended;

-- read_standings
select id, broker_id as "brokerId", op, lane, state, attempt, null as "errorCode"
from broker_dispatch where id = any ($1::uuid[])
union all
select id, broker_id, op, lane, state, attempt, error ->> 'code'
from broker_dispatch_history where id = any ($1::uuid[]) and id between $2 and $3;

-- note_late_results
update broker_dispatch_history ended
set trail = append_step(ended.trail, jsonb_build_object(
  'state', 'late_result', 'at', clock_timestamp(), 'attempt', late.attempt, 'reason', late.outcome
))
from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[]) as late (id, broker_id, attempt, outcome)
where ended.id between late.id and late.id and ended.broker_id = late.broker_id;
