-- src/hub/registry/connection.repository.ts

-- replace_capabilities
with replaced as (
  update broker
  set capabilities = $3::jsonb, capabilities_revision = $4::bigint
  where id = $1 and capabilities_revision < $4::bigint
    and exists (select from broker_connection held where held.broker_id = $1 and held.epoch = $2::bigint)
  returning capabilities_revision
)
select exists (select from replaced) as "isTaken",
       coalesce((select capabilities_revision from replaced), broker.capabilities_revision) as stored
from broker
where broker.id = $1;

-- release_connections
with locked as materialized (
  select connection.broker_id, connection.epoch, leaving.reason, leaving.silence_ms
  from unnest($2::uuid[], $3::bigint[], $4::text[], $5::double precision[])
    as leaving (broker_id, epoch, reason, silence_ms)
  join broker_connection connection on connection.broker_id = leaving.broker_id
  where connection.replica_id = $1 and connection.epoch = leaving.epoch
  order by connection.broker_id
  for update of connection
),
released as (
  update broker_connection connection
  set replica_id = null, released_at = now(), release_reason = locked.reason,
      silent_since = now() - make_interval(secs => locked.silence_ms / 1000)
  from locked
  where connection.broker_id = locked.broker_id
)
update broker_stay stay
set ended_at = now(), end_reason = locked.reason
from locked
where stay.broker_id = locked.broker_id and stay.epoch = locked.epoch;

-- take_connection_away
with locked as materialized (
  select broker_id, replica_id, epoch
  from broker_connection
  where broker_id = $1 and replica_id is not null
  for update
),
released as (
  update broker_connection connection
  set replica_id = null, released_at = statement_timestamp(), release_reason = $2
  from locked
  where connection.broker_id = locked.broker_id
),
ended as (
  update broker_stay stay
  set ended_at = statement_timestamp(), end_reason = $2
  from locked
  where stay.broker_id = locked.broker_id and stay.epoch = locked.epoch
)
select replica_id as "replicaId", epoch
from locked;

-- find_links_not_as_their_rows
select link.broker_id as "brokerId", connection.replica_id as "replicaId", connection.epoch,
       connection.boot_id as "bootId", connection.release_reason as "releaseReason",
       broker.revoked_at is not null as "isRevoked"
from unnest($2::uuid[], $3::bigint[]) as link (broker_id, epoch)
left join broker_connection connection on connection.broker_id = link.broker_id
left join broker on broker.id = link.broker_id
where connection.epoch is distinct from link.epoch or connection.replica_id is distinct from $1;

-- find_connections_without_links
select connection.broker_id as "brokerId", connection.epoch,
       date_part('epoch', now() - connection.since) * 1000 as "silenceMs"
from broker_connection connection
where connection.replica_id = $1 and connection.since < now() - interval '30 seconds'
  and (connection.broker_id, connection.epoch) not in (
    select link.broker_id, link.epoch from unnest($2::uuid[], $3::bigint[]) as link (broker_id, epoch)
  );

-- read_ownership
select broker_id as "brokerId", replica_id as "replicaId"
from broker_connection
where broker_id = any ($1::uuid[]);

-- read_newest_epoch
select epoch
from broker_connection
where broker_id = $1;

-- find_holder_of_connection
select replica_id as "replicaId"
from broker_connection
where broker_id = $1 and connection_id = $2 and replica_id is not null;
