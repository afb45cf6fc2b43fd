-- src/hub/heartbeat/presence.repository.ts

-- write_presence
with relaxed as materialized (select set_config('synchronous_commit', 'off', true))
insert into broker_presence as known (broker_id, state, load, running, last_seen_at, changed_at)
select seen.broker_id, seen.state, seen.load, seen.running,
       now() - make_interval(secs => seen.silence_ms / 1000), now()
from relaxed, unnest($1::uuid[], $2::bigint[], $3::text[], $4::double precision[], $5::integer[], $6::double precision[])
  as seen (broker_id, epoch, state, load, running, silence_ms)
join broker_connection connection
  on connection.broker_id = seen.broker_id and connection.epoch = seen.epoch
order by seen.broker_id
on conflict (broker_id) do update
set state = excluded.state,
    load = excluded.load,
    running = excluded.running,
    last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
    changed_at = case when known.state = excluded.state then known.changed_at else excluded.changed_at end;

-- demote_unowned_brokers
with duty as materialized (
  select pg_try_advisory_xact_lock(hashtextextended('duty presence sweep', 3)) as mine
),
silent as (
  select presence.broker_id,
         case when connection.released_at < now() - interval '60 seconds' then 'unreachable' else 'degraded' end
           as state
  from duty
  join broker_presence presence on duty.mine
  join broker_connection connection on connection.broker_id = presence.broker_id
  where connection.replica_id is null
    and connection.released_at < now() - interval '30 seconds'
    and presence.state in ('online', 'degraded')
  order by presence.broker_id
  for update of presence skip locked
)
update broker_presence presence
set state = silent.state, changed_at = now()
from silent
where presence.broker_id = silent.broker_id and presence.state <> silent.state
returning presence.broker_id as "brokerId", presence.state;
