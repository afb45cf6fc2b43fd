-- src/hub/agents/upkeep.repository.ts

-- find_agents_in_clear
select agent.id, agent.spec
from agent
where ($1::uuid is null or agent.id > $1)
  and agent.spec -> 'environment' <> '{}'::jsonb
  and not agent.spec -> 'environment' ? '$sealed'
order by agent.id
limit $2;

-- seal_environment_of_agent
update agent
set spec = jsonb_set(agent.spec, '{environment}', $3::jsonb)
where agent.id = $1 and agent.spec -> 'environment' = $2::jsonb
returning agent.id;

-- empty_environments_of_deleted_agents
with filled as (
  select agent.id
  from agent
  where agent.phase = 'deleted' and agent.spec -> 'environment' <> '{}'::jsonb
    and ($1::uuid is null or agent.id > $1)
  order by agent.id
  limit $2
  for update of agent skip locked
),
emptied as (
  update agent
  set spec = jsonb_set(agent.spec, '{environment}', '{}')
  from filled
  where agent.id = filled.id
  returning agent.id
)
select id from emptied order by id;

-- forget_deleted_agents
with old as (
  select agent.id
  from agent
  where agent.phase = 'deleted'
    and agent.updated_at < now() - make_interval(days => $2)
    and ($1::uuid is null or agent.id > $1)
    and not exists (select from agent_stray stray where stray.agent_id = agent.id)
    and (
      agent.run_id is null
      or exists (
        select
        from broker_presence presence
        join broker_connection connection on connection.broker_id = presence.broker_id
        where presence.broker_id = agent.broker_id
          and presence.last_seen_at > greatest(connection.since, agent.updated_at) + interval '10 minutes'
      )
      or not exists (
        select from broker where broker.id = agent.broker_id and broker.revoked_at is null
      )
    )
  order by agent.id
  limit $3
  for update of agent skip locked
),
forgotten as (
  delete from agent
  using old
  where agent.id = old.id
  returning agent.id
)
select id from forgotten order by id;
