-- src/hub/dispatch/read.repository.ts

-- find_dispatches
select
  dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
  dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
  dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
  dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
  dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
  dispatch.redrive_of as "redriveOf",
  dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
  case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
  dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt", broker.name as "brokerName", dispatch.args, null::timestamptz as "endedAt", null::jsonb as result, null::jsonb as error
from broker_dispatch dispatch
left join broker on broker.id between dispatch.broker_id and dispatch.broker_id
where dispatch.id = any ($1::uuid[])
union all
select
  dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
  dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
  dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
  dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
  dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
  dispatch.redrive_of as "redriveOf",
  dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
  case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
  dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt", broker.name, dispatch.args, dispatch.ended_at, dispatch.result, dispatch.error
from broker_dispatch_history dispatch
left join broker on broker.id between dispatch.broker_id and dispatch.broker_id
where dispatch.id = any ($1::uuid[]) and dispatch.id between $2 and $3;

-- see_dispatch
select project_id as "projectId" from broker_dispatch where id = $1 and ($2::uuid[] is null or project_id = any ($2))
union all
select project_id from broker_dispatch_history where id = $1 and ($2::uuid[] is null or project_id = any ($2));

-- read_trail
select to_jsonb(trail::jsonb[]) as trail from broker_dispatch where id = $1
union all
select to_jsonb(trail::jsonb[]) from broker_dispatch_history where id = $1;

-- find_ended
select id from broker_dispatch_history where id = any ($1::uuid[]) and id between $2 and $3;

-- count_live_dispatches
select dispatch.state, count(*) as count,
       coalesce(extract(epoch from now() - min(dispatch.created_at)), 0)::double precision as "oldestS",
       count(*) filter (
         where connection.replica_id is not null
           and greatest(dispatch.created_at, dispatch.not_before, dispatch.retry_at, dispatch.claimed_at)
               < now() - interval '5 minutes'
       ) as stuck
from broker_dispatch dispatch
left join broker_connection connection on connection.broker_id = dispatch.broker_id
group by dispatch.state;

-- count_pending_dispatches_of_projects
select project.name as project, depth.count, depth.oldest_s as "oldestS"
from (
  select dispatch.project_id, count(*) as count,
         extract(epoch from now() - min(dispatch.created_at))::double precision as oldest_s
  from broker_dispatch dispatch
  where dispatch.project_id is not null and dispatch.state = 'pending'
  group by dispatch.project_id
  order by count(*) desc
  limit 50
) depth
join project on project.id = depth.project_id
order by depth.count desc;
