-- src/hub/dispatch/trail.repository.ts

-- list_trails
select listed.* from (
  (
    select 
    dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId", broker.name as "brokerName",
    dispatch.agent_id as "agentId", dispatch.op, dispatch.lane, dispatch.ordering_key as "orderingKey",
    dispatch.state, dispatch.attempt, dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt",
    dispatch.initiator ->> 'idempotencyKey' as "idempotencyKey",
    to_jsonb(dispatch.trail::jsonb[]) as trail, now() as "readAt", null::timestamptz as "endedAt", null::jsonb as error, 1 as records
    from broker_dispatch dispatch
    left join broker on broker.id = dispatch.broker_id
    where dispatch.id > $1::uuid and dispatch.id < $2::uuid
      and ($3::uuid is null or dispatch.broker_id = $3)
      and ($5::uuid[] is null or dispatch.project_id = any ($5))
      and not exists (select from broker_dispatch_history ended where ended.id = dispatch.id)
    order by dispatch.id
    limit $4
  )
  union all
  (
    select 
    dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId", broker.name as "brokerName",
    dispatch.agent_id as "agentId", dispatch.op, dispatch.lane, dispatch.ordering_key as "orderingKey",
    dispatch.state, dispatch.attempt, dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt",
    dispatch.initiator ->> 'idempotencyKey' as "idempotencyKey",
    to_jsonb(dispatch.trail::jsonb[]) as trail, now() as "readAt", dispatch.ended_at, dispatch.error,
           case when exists (select from broker_dispatch live where live.id = dispatch.id) then 2 else 1 end
    from broker_dispatch_history dispatch
    left join broker on broker.id = dispatch.broker_id
    where dispatch.id > $1::uuid and dispatch.id < $2::uuid
      and ($3::uuid is null or dispatch.broker_id = $3)
      and ($5::uuid[] is null or dispatch.project_id = any ($5))
    order by dispatch.id
    limit $4
  )
) listed
order by listed.id
limit $4;
