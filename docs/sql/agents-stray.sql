-- src/hub/agents/stray.repository.ts

-- read_agents_to_compare
select agent.id, agent.broker_id as "brokerId", agent.run_id as "runId", agent.phase,
       exists (select from broker_dispatch live where live.id = agent.dispatch_id offset 0)
         or (
           agent.phase in ('starting', 'stopping', 'deleting')
           and exists (select from broker_dispatch_history ended where ended.id = agent.dispatch_id offset 0)
         ) as "isCommanded"
from agent
where agent.id = any ($2::uuid[])
   or (agent.broker_id = any ($1::uuid[]) and agent.phase in ('starting', 'running', 'stopping', 'deleting'));

-- read_strays_of_brokers
select broker_id as "brokerId", agent_id as "agentId", run_id as "runId", kind, reason, phase,
       dispatch_id as "dispatchId", id
from agent_stray
where broker_id = any ($1::uuid[]);

-- keep_strays_of_broker
with held as materialized (
  select connection.broker_id
  from broker_connection connection
  where connection.broker_id = $1 and connection.replica_id = $2 and connection.epoch = $3
  for share
),
found as (
  select *
  from unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[], $10::uuid[])
    as found (id, agent_id, run_id, kind, reason, phase, dispatch_id)
),
gone as (
  delete from agent_stray stray
  using held
  where stray.broker_id = held.broker_id and stray.agent_id <> all ($5::uuid[])
)
insert into agent_stray as stray (broker_id, agent_id, id, run_id, kind, reason, phase, dispatch_id)
select held.broker_id, found.agent_id, found.id, found.run_id, found.kind, found.reason, found.phase, found.dispatch_id
from held
cross join found
on conflict (broker_id, agent_id) do update
set id = case when stray.run_id = excluded.run_id then stray.id else excluded.id end,
    found_at = case when stray.run_id = excluded.run_id then stray.found_at else now() end,
    run_id = excluded.run_id,
    kind = excluded.kind,
    reason = excluded.reason,
    phase = excluded.phase,
    dispatch_id = excluded.dispatch_id;

-- list_strays
select stray.id, stray.kind, stray.reason, stray.broker_id as "brokerId", broker.name as "brokerName",
       stray.agent_id as "agentId", agent.name as "agentName", stray.run_id as "runId", stray.phase,
       stray.dispatch_id as "dispatchId", stray.found_at as "foundAt"
from agent_stray stray
join broker on broker.id = stray.broker_id
left join agent on agent.id = stray.agent_id
where ($1::uuid is null or stray.id < $1)
  and ($2::uuid is null or stray.broker_id = $2)
  and ($3::uuid is null or stray.agent_id = $3)
  and ($4::text is null or stray.kind = $4)
  and ($6::uuid[] is null or agent.project_id = any ($6))
order by stray.id desc
limit $5;
