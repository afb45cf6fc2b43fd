-- src/hub/agents/agent.repository.ts

-- create_agent
insert into agent (id, name, broker_id, runtime, spec, wanted, phase, project_id)
values ($1, $2, $3, 'process', $4::jsonb, 'stopped', 'created', $5);

-- get_agent
select agent.id, agent.name, agent.project_id as "projectId", project.name as "projectName", agent.broker_id as "brokerId", broker.name as "brokerName", agent.runtime, agent.spec,
       agent.wanted, agent.phase, agent.run_id as "runId", agent.dispatch_id as "dispatchId",
       agent.exit_code as "exitCode", agent.detail, agent.restarts, agent.revision,
       agent.created_at as "createdAt", agent.updated_at as "updatedAt"
from agent
left join broker on broker.id = agent.broker_id
left join project on project.id = agent.project_id
where agent.id = $1;

-- lock_agent
select agent.id, agent.name, agent.project_id as "projectId", project.name as "projectName", agent.broker_id as "brokerId", broker.name as "brokerName", agent.runtime, agent.spec,
       agent.wanted, agent.phase, agent.run_id as "runId", agent.dispatch_id as "dispatchId",
       agent.exit_code as "exitCode", agent.detail, agent.restarts, agent.revision,
       agent.created_at as "createdAt", agent.updated_at as "updatedAt"
from agent
left join broker on broker.id = agent.broker_id
left join project on project.id = agent.project_id
where agent.id = $1 for update of agent;

-- find_agent_by_name
select id from agent where name = $1 and phase <> 'deleted';

-- see_agent
select id, project_id as "projectId" from agent where id = $1 and ($2::uuid[] is null or project_id = any ($2));

-- see_agent_by_name
select id, project_id as "projectId"
from agent
where name = $1 and phase <> 'deleted' and ($2::uuid[] is null or project_id = any ($2));

-- list_agents
select agent.id, agent.name, agent.project_id as "projectId", project.name as "projectName", agent.broker_id as "brokerId", broker.name as "brokerName", agent.runtime, agent.spec,
       agent.wanted, agent.phase, agent.run_id as "runId", agent.dispatch_id as "dispatchId",
       agent.exit_code as "exitCode", agent.detail, agent.restarts, agent.revision,
       agent.created_at as "createdAt", agent.updated_at as "updatedAt"
from agent
left join broker on broker.id = agent.broker_id
left join project on project.id = agent.project_id
where ($1::uuid is null or agent.id < $1)
  and ($2::uuid is null or agent.broker_id = $2)
  and ($4::uuid is null or agent.project_id = $4)
  and ($5::uuid[] is null or agent.project_id = any ($5))
  and agent.phase <> 'deleted'
order by agent.id desc
limit $3;

-- step_agent
update agent
set phase = $2, wanted = $3, run_id = $4, dispatch_id = $5, undo = $6::jsonb,
    exit_code = case when run_id is not distinct from $4::uuid then exit_code end,
    detail = case when run_id is not distinct from $4::uuid then detail end,
    restarts = case when run_id is not distinct from $4::uuid then restarts else 0 end,
    revision = revision + 1, updated_at = now()
where id = $1;

-- take_agent_reports
with said as (
  select *
  from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::text[], $7::integer[], $8::text[])
    as said (agent_id, broker_id, run_id, phase, exit_code, detail, restarts, allowed)
),
locked as (
  select agent.id, said.phase, said.exit_code, said.detail, said.restarts
  from said
  join agent on agent.id = said.agent_id and agent.broker_id = said.broker_id and agent.run_id = said.run_id
  where agent.phase = any (string_to_array(said.allowed, ','))
     or (agent.phase = said.phase and agent.phase = 'running' and agent.restarts < said.restarts)
  order by agent.id
  for update of agent
)
update agent
set phase = locked.phase, exit_code = locked.exit_code, detail = locked.detail,
    restarts = greatest(agent.restarts, locked.restarts),
    revision = revision + 1, updated_at = now()
from locked
where agent.id = locked.id
returning agent.id, agent.broker_id as "brokerId";

-- catch_up_agents_with_endings
with due as (
  select agent.id, agent.phase as was, ended.state, ended.result, ended.error,
         ended.attempt = 0 and ended.state = 'expired' as is_unheard,
         case
           when agent.undo -> 0 ->> 'command' = ended.id::text and ended.attempt = 0 and (ended.state = 'cancelled' or (ended.state = 'expired' and ended.op = 'agent.restart')) then agent.undo -> 0
         end as undo
  from agent
  join broker_dispatch_history ended on ended.id = agent.dispatch_id
  where agent.phase in ('starting', 'stopping', 'deleting')
  order by agent.id
  limit $1
  for update of agent skip locked
),
moved as (
  select due.*,
         case
           when due.undo is not null then due.undo ->> 'phase'
           when due.was = 'starting' then case when due.state = 'succeeded' then 'running' else 'failed' end
           when due.was = 'stopping' then case when due.state = 'succeeded' then 'stopped' else 'running' end
           else case when due.state = 'succeeded' or due.is_unheard then 'deleted' else 'failed' end
         end as phase
  from due
)
update agent
set phase = moved.phase,
    spec = case when moved.phase = 'deleted' then jsonb_set(agent.spec, '{environment}', '{}') else agent.spec end,
    wanted = coalesce(moved.undo ->> 'wanted', agent.wanted),
    run_id = case when moved.undo is null then agent.run_id else (moved.undo ->> 'runId')::uuid end,
    dispatch_id = case when moved.undo is null then agent.dispatch_id else (moved.undo ->> 'dispatchId')::uuid end,
    exit_code = case
      when moved.undo is not null then (moved.undo ->> 'exitCode')::bigint
      when moved.was = 'stopping' and moved.state = 'succeeded' then jsonb_path_query_first(
        moved.result,
        'strict $.exitCode ? (@ >= -1 && @ <= 4294967295 && @ == @.floor())',
        silent => true
      )::bigint
      else agent.exit_code
    end,
    detail = case
      when moved.undo is null then coalesce(moved.error ->> 'message', agent.detail)
      else moved.undo ->> 'detail'
    end,
    restarts = coalesce((moved.undo ->> 'restarts')::integer, agent.restarts),
    undo = case when moved.undo is not null then nullif(agent.undo - 0, '[]') end,
    revision = revision + 1, updated_at = now()
from moved
where agent.id = moved.id
returning agent.phase;

-- end_lost_run
with held as materialized (
  select connection.broker_id
  from broker_connection connection
  where connection.broker_id = $1 and connection.replica_id = $2 and connection.epoch = $3
  for share
),
lost as (
  select agent.id,
         agent.phase = 'running' and agent.wanted = 'running'
           and coalesce(agent.spec -> 'restart' ->> 'policy', 'never') <> 'never'
           and agent.updated_at < now() - make_interval(secs => $6) as again
  from held
  join agent on agent.broker_id = held.broker_id
  where agent.id = $4 and agent.run_id = $5 and agent.phase = any (string_to_array($7, ','))
    and not exists (select from broker_dispatch live where live.id = agent.dispatch_id offset 0)
  for update of agent
)
update agent
set phase = 'failed', exit_code = null, detail = $8, revision = revision + 1, updated_at = now()
from lost
where agent.id = lost.id
returning lost.again as "mayStartAgain";

-- delete_agent_of_revoked_broker
update agent
set phase = 'deleted', wanted = 'deleted', spec = jsonb_set(agent.spec, '{environment}', '{}'), revision = revision + 1, updated_at = now()
where id = $1;

-- find_agents_of_draining_brokers
select broker.id as "brokerId", broker.revision, count(agent.id)::integer as live,
       coalesce(array_agg(agent.id order by agent.id) filter (
         where agent.phase in ('starting', 'running')
           and (agent.wanted = 'running' or agent.updated_at < now() - interval '30 seconds')
       ), '{}') as due
from broker
left join agent on agent.broker_id = broker.id
  and agent.phase in ('starting', 'running', 'stopping', 'deleting')
where broker.draining_at is not null and broker.drained_at is null and broker.revoked_at is null
group by broker.id;

-- find_standing_of_run
select agent.project_id as "projectId",
       agent.run_id is not distinct from $3 and agent.phase in ('starting', 'running', 'stopping') as "goesOn",
       agent.project_id is null or exists (
         select from broker_attachment attachment
         where attachment.project_id = agent.project_id and attachment.broker_id = agent.broker_id
           and attachment.detached_at is null
       ) as "isAttached"
from agent
join broker on broker.id = agent.broker_id and broker.revoked_at is null
where agent.id = $1 and agent.broker_id = $2;
