-- src/hub/heartbeat/presence.repository.ts

-- change_presence
with relaxed as materialized (select set_config('synchronous_commit', 'off', true)),
held as materialized (
  select seen.broker_id, seen.epoch, seen.state, seen.load, seen.running, seen.silence_ms, former.state as was
  from relaxed, unnest($1::uuid[], $2::bigint[], $3::text[], $4::double precision[], $5::integer[], $6::double precision[])
    as seen (broker_id, epoch, state, load, running, silence_ms)
  join broker_connection connection on connection.broker_id = seen.broker_id
  left join broker_presence former on former.broker_id = seen.broker_id
  where connection.epoch = seen.epoch
    and (connection.replica_id is not null or seen.state = 'offline')
  order by connection.broker_id
  for share of connection
),
written as (
  insert into broker_presence as known (broker_id, state, load, running, last_seen_at, changed_at, epoch)
  select broker_id, state, load, running, now() - make_interval(secs => silence_ms / 1000), now(), epoch
  from held
  on conflict (broker_id) do update
  set state = excluded.state,
      load = excluded.load,
      running = excluded.running,
      last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
      changed_at = case when known.state = excluded.state then known.changed_at else excluded.changed_at end,
      epoch = excluded.epoch
)
select broker_id as "brokerId", epoch, was, state from held;

-- note_quiet_beats
with relaxed as materialized (select set_config('synchronous_commit', 'off', true))
update broker_presence presence
set load = seen.load,
    running = seen.running,
    last_seen_at = greatest(presence.last_seen_at, now() - make_interval(secs => seen.silence_ms / 1000))
from relaxed, unnest($1::uuid[], $2::bigint[], $3::text[], $4::double precision[], $5::integer[], $6::double precision[])
  as seen (broker_id, epoch, state, load, running, silence_ms)
where presence.broker_id = seen.broker_id and presence.epoch = seen.epoch and presence.state = seen.state
returning presence.broker_id as "brokerId";

-- demote_unowned_brokers
with duty as materialized (
  select pg_try_advisory_xact_lock(hashtextextended('duty presence sweep', 3)) as mine
),
reachable as materialized (
  select min(beating_since) as since
  from hub_replica
  where state = 'active' and last_seen_at > now() - interval '4 seconds'
),
silent as (
  select presence.broker_id, presence.state as was, connection.epoch, judged.state
  from duty
  join reachable on duty.mine and reachable.since is not null
  cross join broker_presence presence
  join broker_connection connection on connection.broker_id = presence.broker_id
  cross join lateral (
    select greatest(reachable.since, case when connection.silent_since >= connection.since
             then connection.silent_since else connection.released_at end) as since
  ) silence
  cross join lateral (
    select case when silence.since < now() - interval '60 seconds' then 'unreachable' else 'degraded' end as state
  ) judged
  where connection.replica_id is null
    and presence.state in ('online', 'degraded') and presence.state <> judged.state
    and silence.since < now() - interval '30 seconds'
  order by presence.broker_id
  for update of presence skip locked
  for share of connection skip locked
)
update broker_presence presence
set state = silent.state, changed_at = now()
from silent
where presence.broker_id = silent.broker_id
returning presence.broker_id as "brokerId", silent.epoch, silent.was, presence.state;
