-- src/hub/cluster/replica.repository.ts

-- enter_replica
insert into hub_replica
  (id, name, session_name, public_url, internal_url, software, protocol_min, protocol_max, state)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (id) do nothing;

-- beat_replica
update hub_replica
set last_seen_at = clock_timestamp(),
    beating_since = case
      when last_seen_at < clock_timestamp() - interval '4 seconds' then clock_timestamp()
      else beating_since
    end
where id = $1 and state <> 'gone'
returning clock_timestamp() as now;

-- bury_dead_replicas
update hub_replica dead
set state = 'gone', ended_at = clock_timestamp()
where dead.state <> 'gone'
  and dead.last_seen_at < clock_timestamp() - interval '5 seconds'
  and exists (
    select from hub_replica judge
    where judge.id = $1
      and judge.state <> 'gone'
      and judge.beating_since < clock_timestamp() - interval '6 seconds'
      and judge.last_seen_at > clock_timestamp() - interval '4 seconds'
  )
returning dead.id, dead.session_name as "sessionName";

-- end_sessions_of_dead_replicas
select pg_terminate_backend(session.pid)
from pg_stat_activity session
join unnest($1::text[]) as dead (session_name) on session.application_name like dead.session_name || '%'
where session.pid <> pg_backend_pid();

-- release_connections_of_gone_replicas
with gone as materialized (
  select distinct holder.replica_id
  from broker_connection holder
  where not exists (
    select from hub_replica replica
    where replica.id = holder.replica_id and replica.state <> 'gone'
  )
),
locked as materialized (
  select connection.broker_id, connection.epoch
  from gone
  join broker_connection connection on connection.replica_id = gone.replica_id
  order by connection.broker_id
  for update of connection skip locked
),
ended as (
  update broker_stay stay
  set ended_at = now(), end_reason = 'replica_gone'
  from locked
  where stay.broker_id = locked.broker_id and stay.epoch = locked.epoch
)
update broker_connection connection
set replica_id = null, released_at = now(), release_reason = 'replica_gone'
from locked
where connection.broker_id = locked.broker_id
returning connection.broker_id as "brokerId";

-- set_replica_state
update hub_replica
set state = $2, ended_at = case when $2 = 'gone' then now() end
where id = $1 and state <> 'gone'
returning id;

-- activate_replica
update hub_replica
set state = 'active', public_url = $2
where id = $1 and state = 'starting'
returning id;

-- advertise_replica
update hub_replica set internal_url = $2 where id = $1;

-- find_internal_url_of_replica
select internal_url as url from hub_replica where id = $1 and state <> 'gone';

-- list_internal_urls_of_live_replicas
select id, internal_url as url
from hub_replica
where state in ('active', 'draining') and internal_url is not null and id <> $1
  and last_seen_at > now() - interval '5 seconds'
order by started_at desc
limit 16;

-- list_replicas
select replica.id, replica.name, replica.public_url as "publicUrl", replica.software, replica.state,
       replica.started_at as "startedAt", replica.last_seen_at as "lastSeenAt", replica.ended_at as "endedAt",
       (select count(*) from broker_connection connection where connection.replica_id = replica.id) as brokers
from hub_replica replica
where replica.state <> 'gone' or replica.ended_at > now() - interval '1 day'
order by replica.started_at desc, replica.id
limit 200;

-- forget_old_replicas
delete from hub_replica where state = 'gone' and ended_at < now() - interval '30 days';

-- list_public_urls_of_live_replicas
select public_url as url
from hub_replica
where state = 'active' and public_url is not null and id <> $1
  and last_seen_at > now() - interval '5 seconds'
order by started_at
limit 16;

-- has_live_peers
select exists (
  select from hub_replica
  where state = 'active' and id <> $1 and last_seen_at > now() - interval '5 seconds'
) as found;

-- read_hub_identity
select id from hub_identity;
