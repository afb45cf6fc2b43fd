-- src/hub/agents/undo.repository.ts

-- read_what_agent_was
select was.state, ended.as_what as "end"
from agent
cross join lateral (
  select 0 as depth,
         jsonb_build_object(
           'phase', agent.phase, 'wanted', agent.wanted, 'runId', agent.run_id, 'dispatchId', agent.dispatch_id,
           'exitCode', agent.exit_code, 'detail', agent.detail, 'restarts', agent.restarts
         ) as state
  union all
  select former.depth, former.state
  from jsonb_path_query(agent.undo, '$[*]') with ordinality as former (state, depth)
) was
left join lateral (
  select case when ended.attempt = 0 and (ended.state = 'cancelled' or (ended.state = 'expired' and ended.op = 'agent.restart')) then 'given_up' else 'other' end as as_what
  from broker_dispatch_history ended
  where ended.id = (was.state ->> 'dispatchId')::uuid
  offset 0
) ended on true
where agent.id = $1
order by was.depth;
