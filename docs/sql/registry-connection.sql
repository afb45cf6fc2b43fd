-- src/hub/registry/connection.repository.ts

-- lock_broker_for_connect
select pg_advisory_xact_lock(hashtextextended($1::text, 1));

-- connect_broker
with former as (
  select replica_id, boot_id from broker_connection where broker_id = $1
),
admitting as (
  select id from hub_replica where id = $2 and state in ('starting', 'active')
),
described as (
  update broker
  set labels = $7::jsonb || broker.given_labels, capabilities = $8::jsonb, software = $9,
      version_major = $11::integer, version_minor = $12::integer
  where id = $1 and revoked_at is null and exists (select from admitting)
  returning id, version_major, version_minor
),
connected as (
  insert into broker_connection as held
    (broker_id, replica_id, epoch, connection_id, transport, boot_id, journal_id, window_size)
  select described.id, $2, $3::bigint + 1, $4, 'websocket', $5, $6, $10
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
       exists (select from broker where id = $1 and revoked_at is not null) as revoked,
       (select json_build_object('replicaId', replica_id, 'bootId', boot_id)
        from former where replica_id is not null) as former,
       (select coalesce(json_agg(told), '[]') from told) as attachments;

-- release_connections
with locked as materialized (
  select connection.broker_id, leaving.reason, leaving.silence_ms
  from unnest($2::uuid[], $3::bigint[], $4::text[], $5::double precision[])
    as leaving (broker_id, epoch, reason, silence_ms)
  join broker_connection connection on connection.broker_id = leaving.broker_id
  where connection.replica_id = $1 and connection.epoch = leaving.epoch
  order by connection.broker_id
  for update of connection
)
update broker_connection connection
set replica_id = null, released_at = now(), release_reason = locked.reason,
    silent_since = now() - make_interval(secs => locked.silence_ms / 1000)
from locked
where connection.broker_id = locked.broker_id;

-- read_ownership
select broker_id as "brokerId", replica_id as "replicaId", epoch, boot_id as "bootId"
from broker_connection
where broker_id = any ($1::uuid[]);
