-- src/hub/dispatch/trail.repository.ts

-- list_trails
with ended as materialized (
  select
    dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId", broker.name as "brokerName",
    dispatch.agent_id as "agentId", dispatch.op, dispatch.lane, dispatch.ordering_key as "orderingKey",
    dispatch.state, dispatch.attempt, dispatch.created_at as "createdAt", dispatch.not_before as "notBefore",
    dispatch.deadline_at as "deadlineAt",
    dispatch.initiator ->> 'idempotencyKey' as "idempotencyKey", dispatch.redrive_of as "redriveOf",
    to_jsonb(dispatch.trail::jsonb[]) as trail, now() as "readAt", dispatch.ended_at as "endedAt", dispatch.error,
         case when exists (select from broker_dispatch live where live.id between dispatch.id and dispatch.id) then 2 else 1 end
           as records
  from broker_dispatch_history dispatch
  left join broker on broker.id = dispatch.broker_id
  where dispatch.id > $1::uuid
    and ($3::uuid is null or dispatch.broker_id = $3)
    and ($5::uuid[] is null or dispatch.project_id = any ($5)) and dispatch.id < $2::uuid
  order by dispatch.id
  limit $4
)
select listed.* from (
  (
    select
    dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId", broker.name as "brokerName",
    dispatch.agent_id as "agentId", dispatch.op, dispatch.lane, dispatch.ordering_key as "orderingKey",
    dispatch.state, dispatch.attempt, dispatch.created_at as "createdAt", dispatch.not_before as "notBefore",
    dispatch.deadline_at as "deadlineAt",
    dispatch.initiator ->> 'idempotencyKey' as "idempotencyKey", dispatch.redrive_of as "redriveOf",
    to_jsonb(dispatch.trail::jsonb[]) as trail, now() as "readAt", null::timestamptz as "endedAt", null::jsonb as error, 1 as records
    from broker_dispatch dispatch
    left join broker on broker.id = dispatch.broker_id
    where dispatch.id > $1::uuid
    and ($3::uuid is null or dispatch.broker_id = $3)
    and ($5::uuid[] is null or dispatch.project_id = any ($5)) and dispatch.id < coalesce((select id from ended order by id offset $4 - 1), $2::uuid)
      and not exists (select from broker_dispatch_history ended where ended.id = dispatch.id)
    order by dispatch.id
    limit $4
  )
  union all
  select * from ended
) listed
order by listed.id
limit $4;

-- list_trails_alive_within
with ended as materialized (
  select
    dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId", broker.name as "brokerName",
    dispatch.agent_id as "agentId", dispatch.op, dispatch.lane, dispatch.ordering_key as "orderingKey",
    dispatch.state, dispatch.attempt, dispatch.created_at as "createdAt", dispatch.not_before as "notBefore",
    dispatch.deadline_at as "deadlineAt",
    dispatch.initiator ->> 'idempotencyKey' as "idempotencyKey", dispatch.redrive_of as "redriveOf",
    to_jsonb(dispatch.trail::jsonb[]) as trail, now() as "readAt", dispatch.ended_at as "endedAt", dispatch.error,
         case when exists (select from broker_dispatch live where live.id between dispatch.id and dispatch.id) then 2 else 1 end
           as records
  from broker_dispatch_history dispatch
  left join broker on broker.id = dispatch.broker_id
  where dispatch.broker_id = any ($1::uuid[]) and dispatch.id > greatest($2::uuid, $5::uuid)
      and dispatch.created_at < $4 and dispatch.ended_at >= $3 and dispatch.id < 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid
  order by dispatch.id
  limit $6
)
select listed.* from (
  (
    select
    dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId", broker.name as "brokerName",
    dispatch.agent_id as "agentId", dispatch.op, dispatch.lane, dispatch.ordering_key as "orderingKey",
    dispatch.state, dispatch.attempt, dispatch.created_at as "createdAt", dispatch.not_before as "notBefore",
    dispatch.deadline_at as "deadlineAt",
    dispatch.initiator ->> 'idempotencyKey' as "idempotencyKey", dispatch.redrive_of as "redriveOf",
    to_jsonb(dispatch.trail::jsonb[]) as trail, now() as "readAt", null::timestamptz as "endedAt", null::jsonb as error, 1 as records
    from broker_dispatch dispatch
    left join broker on broker.id = dispatch.broker_id
    where dispatch.broker_id = any ($1::uuid[]) and dispatch.id > $2::uuid and dispatch.created_at < $4 and dispatch.id < coalesce((select id from ended order by id offset $6 - 1), 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
      and not exists (select from broker_dispatch_history ended where ended.id = dispatch.id)
    order by dispatch.id
    limit $6
  )
  union all
  select * from ended
) listed
order by listed.id
limit $6;

-- has_live_commands_of_brokers
select exists (
  select from broker_dispatch where broker_id = any ($1::uuid[]) and created_at < $2
) as "hasLive";

-- find_stranded_commands
with live as materialized (
  select id, state, broker_id, claim_epoch, deadline_at
  from broker_dispatch
  where broker_id = any ($1::uuid[]) and created_at < $2
)
select live.id, live.state
from live
join broker_connection held on held.broker_id = live.broker_id
where (live.state in ('claimed', 'running') and live.claim_epoch < held.epoch
    and held.replica_id is not null and held.since < now() - interval '30 seconds')
  or live.deadline_at < now() - interval '1 minute'
order by live.id
limit 1000;
