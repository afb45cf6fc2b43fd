-- src/hub/dispatch/inventory.repository.ts

-- reconcile_inventory
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
          when 'resend' then 'known_by_another_attempt'
          when 'requeue' then 'never_begun'
          else 'begun_and_lost'
        end
      ))
  from out
  where dispatch.id between out.id and out.id and out.verdict in ('adopt', 'resend', 'requeue', 'retry')
  returning dispatch.*, case when out.verdict = 'retry' then 'requeue' else out.verdict end as verdict
),
removed as (
  delete from broker_dispatch dispatch
  using out
  where dispatch.id between out.id and out.id and out.verdict in ('fail', 'exhaust', 'lapse', 'cancel', 'expire')
  returning dispatch.*, out.verdict, out.next_state as ended_state,
            case
              when out.verdict = 'lapse' then jsonb_build_object(
                'code', 'broker_offline', 'retryable', false, 'data', jsonb_build_object('effect', 'none'),
                'message', 'The link that it went out on ended before it was begun.')
              when out.verdict = 'expire' and out.was_never_begun and dispatch.failures = 0
                then jsonb_build_object('code', 'deadline_passed', 'message', 'The deadline passed before it was begun.',
                                   'retryable', false, 'data', jsonb_build_object('effect', 'none'))
              when out.verdict = 'expire' then jsonb_build_object('code', 'deadline_passed', 'message', 'The deadline passed before it was done again.',
                                   'retryable', false, 'data', jsonb_build_object('effect', 'unknown'))
              when out.verdict <> 'cancel' then jsonb_build_object(
                'code', 'outcome_unknown', 'retryable', false,
                'message', 'The broker lost its record of this command after it was sent.')
            end as ended_error
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
         ended_state, failures + case when verdict in ('fail', 'exhaust') then 1 else 0 end, null, ended_error,
         append_step(trail, jsonb_build_object(
           'state', ended_state, 'at', clock_timestamp(), 'replica', $2::uuid, 'epoch', $3::bigint,
           'attempt', attempt, 'reason', coalesce(ended_error ->> 'code', 'stopped')
         ))
  from removed
  returning *
)
select
  id, seq, broker_id as "brokerId", agent_id as "agentId", op, lane, ordering_key as "orderingKey",
  origin_replica as "originReplica", state, attempt,
  date_part('epoch', now() - greatest(created_at, not_before)) as "ageS",
  date_part('epoch', now() - claimed_at) as "outS",
  initiator ->> 'traceparent' as traceparent,
       greatest(0, floor(extract(epoch from deadline_at - now()) * 1000))::bigint as "remainingMs",
       cancel_requested_at is not null as "cancelRequested", verdict from kept
union all
select
  id, seq, broker_id as "brokerId", agent_id as "agentId", op, lane, ordering_key as "orderingKey",
  origin_replica as "originReplica", state, attempt,
  date_part('epoch', now() - greatest(created_at, not_before)) as "ageS",
  date_part('epoch', now() - claimed_at) as "outS",
  initiator ->> 'traceparent' as traceparent,
       greatest(0, floor(extract(epoch from deadline_at - now()) * 1000))::bigint as "remainingMs",
       cancel_requested_at is not null as "cancelRequested", out.verdict from ended join out using (id)
union all
select null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null from owned;

-- find_ids_not_live
select asked.id
from unnest($2::uuid[]) as asked (id)
where (select dispatch.broker_id from broker_dispatch dispatch where dispatch.id = asked.id) is distinct from $1;

-- read_dispatches_out
select asked.id, dispatch.seq, dispatch.state = any ($2::text[]) as "isOut",
       dispatch.cancel_requested_at is not null as "cancelRequested"
from unnest($1::uuid[]) as asked (id)
left join broker_dispatch dispatch on dispatch.id between asked.id and asked.id;
