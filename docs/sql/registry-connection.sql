-- src/hub/registry/connection.repository.ts

-- lock_broker_for_connect
select pg_advisory_xact_lock(hashtextextended($1::text, 1));

-- connect_broker
with former as (
  select replica_id, epoch, boot_id from broker_connection where broker_id = $1
),
admitting as (
  select id from hub_replica where id = $2 and state in ('starting', 'active')
),
described as (
  update broker
  set labels = $7::jsonb || broker.given_labels, capabilities = $8::jsonb,
      capabilities_revision = broker.capabilities_revision + 1, software = $9,
      version_major = $11::integer, version_minor = $12::integer,
      displaced_at = case
        when exists (select from former where replica_id is not null and boot_id <> $5) then statement_timestamp()
        else displaced_at
      end
  where id = $1 and revoked_at is null and exists (select from admitting)
  returning id, version_major, version_minor, capabilities_revision
),
connected as (
  insert into broker_connection as held
    (broker_id, replica_id, epoch, connection_id, transport, boot_id, journal_id, window_size)
  select described.id, $2, $3::bigint + 1, $4, $15, $5, $6, $10
  from described
  on conflict (broker_id) do update
  set replica_id = excluded.replica_id,
      epoch = greatest(held.epoch, $3::bigint) + 1,
      connection_id = excluded.connection_id,
      transport = excluded.transport,
      boot_id = excluded.boot_id,
      journal_id = excluded.journal_id,
      window_size = excluded.window_size,
      since = now(),
      released_at = null,
      release_reason = null
  returning epoch
),
stayed as (
  insert into broker_stay (broker_id, epoch, id, replica_id, began_at)
  select $1, connected.epoch, $4, $2, statement_timestamp()
  from connected
),
displaced as (
  update broker_stay stay
  set ended_at = statement_timestamp(),
      end_reason = case when former.boot_id = $5 then 'newer_connection' else 'another_instance' end
  from connected
  cross join former
  where stay.broker_id = $1 and stay.epoch = former.epoch and stay.ended_at is null
  returning stay.end_reason
),
flagged as (
  update broker_key
  set flagged_at = statement_timestamp()
  where broker_id = $1 and retired_at is null
    and exists (select from displaced where end_reason = 'another_instance')
    and (
      select count(*) from broker_stay earlier
      where earlier.broker_id = $1 and earlier.end_reason = 'another_instance'
        and earlier.ended_at > statement_timestamp() - interval '1 minute'
    ) >= 2
  returning id
),
attached as (
  update broker_attachment attachment
  set state = $13,
      changed_at = case when attachment.state = $13 then attachment.changed_at else now() end
  from described
  where attachment.broker_id = described.id
    and attachment.detached_at is null and attachment.state <> 'revoked'
    and not (attachment.is_exclusive and attachment.state = 'offline' and exists (
      select from broker_attachment other
      where other.broker_id = described.id and other.is_exclusive
        and other.state in ('registering', 'online', 'degraded')
    ))
  returning attachment.project_id, attachment.state
),
told as (
  select attached.project_id as project, project.name, attached.state, (
    project.min_broker_major is not null
    and ((broker.version_major, broker.version_minor)
         >= (project.min_broker_major, project.min_broker_minor)) is not true
  ) as "readOnly"
  from attached
  join project on project.id = attached.project_id
  cross join described broker
  order by attached.project_id
  limit $14
)
select (select epoch from connected) as epoch,
       coalesce((select capabilities_revision from described), 0) as revision,
       exists (select from broker where id = $1 and revoked_at is not null) as revoked,
       exists (select from flagged) as flagged,
       (select json_build_object('replicaId', replica_id, 'bootId', boot_id)
        from former where replica_id is not null) as former,
       (select coalesce(json_agg(told), '[]') from told) as attachments;

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
