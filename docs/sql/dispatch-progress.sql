-- src/hub/dispatch/progress.repository.ts

-- note_progress
with relaxed as materialized (select set_config('synchronous_commit', 'off', true)),
locked as materialized (
  select dispatch.id, said.fraction, said.note
  from relaxed, unnest($1::uuid[], $2::uuid[], $3::integer[], $4::bigint[], $5::double precision[], $6::text[])
    as said (id, broker_id, attempt, epoch, fraction, note)
  join broker_dispatch dispatch on dispatch.id between said.id and said.id
  where dispatch.broker_id is not distinct from said.broker_id
    and dispatch.attempt = said.attempt
    and dispatch.claim_epoch = said.epoch
    and dispatch.state = any ($7::text[])
  order by dispatch.seq
  for update of dispatch
)
update broker_dispatch dispatch
set progress = case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress
                    else '{"fraction": null, "note": null}' end
               || jsonb_strip_nulls(jsonb_build_object(
                    'fraction', locked.fraction, 'note', locked.note, 'attempt', dispatch.attempt,
                    'at', clock_timestamp()
                  ))
from locked
where dispatch.id between locked.id and locked.id
returning dispatch.id, dispatch.origin_replica as "originReplica";

-- find_attempts_of_agents
select id, attempt from broker_dispatch where id = any ($1::uuid[]) and agent_id = any ($2::uuid[]);

-- find_progress_times
select id, progress ->> 'at' as at from broker_dispatch where id = any ($1::uuid[]) and progress is not null;
