-- src/hub/registry/connect.repository.ts

-- connect_brokers
with coming as materialized (
  select unnest($2::uuid[]) as broker_id, unnest($3::bigint[]) as last_epoch, unnest($4::uuid[]) as connection_id, unnest($5::uuid[]) as boot_id, unnest($6::uuid[]) as journal_id, unnest($7::jsonb[]) as labels, unnest($8::jsonb[]) as capabilities, unnest($9::text[]) as software, unnest($10::integer[]) as window_size, unnest($11::integer[]) as version_major, unnest($12::integer[]) as version_minor, unnest($13::text[]) as health, unnest($14::text[]) as transport
),
former as materialized (
  select held.*
  from coming
  cross join lateral (
    select held.broker_id, held.replica_id, held.epoch, held.boot_id
    from broker_connection held
    where held.broker_id = coming.broker_id
    limit 1
  ) held
),
admitting as materialized (
  select id from hub_replica where id = $1 and state in ('starting', 'active')
),
known as materialized (
  select broker.*
  from (select coming.broker_id from coming order by coming.broker_id) coming
  cross join lateral (
    select broker.id, broker.revoked_at is not null as is_revoked
    from broker
    where broker.id = coming.broker_id
    for no key update of broker
  ) broker
),
admitted as materialized (
  select coming.*
  from known
  join coming on coming.broker_id = known.id
  where not known.is_revoked and exists (select from admitting)
),
described as (
  update broker
  set labels = admitted.labels || broker.given_labels, capabilities = admitted.capabilities,
      capabilities_revision = broker.capabilities_revision + 1, software = admitted.software,
      version_major = admitted.version_major, version_minor = admitted.version_minor,
      displaced_at = case
        when exists (
          select from former
          where former.broker_id = admitted.broker_id and former.replica_id is not null
            and former.boot_id <> admitted.boot_id
        ) then statement_timestamp()
        else displaced_at
      end
  from admitted
  where broker.id between admitted.broker_id and admitted.broker_id
  returning broker.id, broker.version_major, broker.version_minor, broker.capabilities_revision
),
connected as (
  insert into broker_connection as held
    (broker_id, replica_id, epoch, connection_id, transport, boot_id, journal_id, window_size)
  select coming.broker_id, $1, coming.last_epoch + 1, coming.connection_id, coming.transport, coming.boot_id,
         coming.journal_id, coming.window_size
  from described
  join coming on coming.broker_id = described.id
  order by coming.broker_id
  on conflict (broker_id) do update
  set replica_id = excluded.replica_id,
      epoch = greatest(held.epoch + 1, excluded.epoch),
      connection_id = excluded.connection_id,
      transport = excluded.transport,
      boot_id = excluded.boot_id,
      journal_id = excluded.journal_id,
      window_size = excluded.window_size,
      since = now(),
      released_at = null,
      release_reason = null
  returning broker_id, epoch, connection_id, boot_id
),
stayed as (
  insert into broker_stay (broker_id, epoch, id, replica_id, began_at)
  select connected.broker_id, connected.epoch, connected.connection_id, $1, statement_timestamp()
  from connected
),
displaced as (
  update broker_stay stay
  set ended_at = statement_timestamp(),
      end_reason = case when former.boot_id = connected.boot_id then 'newer_connection' else 'another_instance' end
  from connected
  join former on former.broker_id = connected.broker_id
  where stay.broker_id between former.broker_id and former.broker_id and stay.epoch between former.epoch and former.epoch
    and stay.end_reason is null
  returning stay.broker_id, stay.end_reason
),
flagged as (
  update broker_key
  set flagged_at = statement_timestamp()
  from displaced
  where broker_key.broker_id between displaced.broker_id and displaced.broker_id and broker_key.retired_at is null
    and displaced.end_reason = 'another_instance'
    and (
      select count(*) from broker_stay earlier
      where earlier.broker_id = displaced.broker_id and earlier.end_reason = 'another_instance'
        and earlier.ended_at > statement_timestamp() - interval '1 minute'
    ) >= 2
  returning broker_key.broker_id
),
attachable as materialized (
  select attachment.project_id, attachment.broker_id, coming.health
  from connected
  join coming on coming.broker_id = connected.broker_id
  join broker_attachment attachment on attachment.broker_id between coming.broker_id and coming.broker_id
  where attachment.detached_at is null and attachment.state <> 'revoked'
    and not (attachment.is_exclusive and attachment.state = 'offline' and exists (
      select from broker_attachment other
      where other.broker_id = coming.broker_id and other.is_exclusive
        and other.state in ('registering', 'online', 'degraded')
    ))
  order by attachment.project_id, attachment.broker_id
  for no key update of attachment
),
attached as (
  update broker_attachment attachment
  set state = attachable.health,
      changed_at = case when attachment.state = attachable.health then attachment.changed_at else now() end
  from attachable
  where attachment.broker_id between attachable.broker_id and attachable.broker_id
    and attachment.project_id between attachable.project_id and attachable.project_id
  returning attachment.broker_id, attachment.project_id, attachment.state
),
told as (
  select attached.broker_id, attached.project_id, project.name, attached.state, (
    project.min_broker_major is not null
    and ((broker.version_major, broker.version_minor)
         >= (project.min_broker_major, project.min_broker_minor)) is not true
  ) as read_only,
         row_number() over (partition by attached.broker_id order by attached.project_id) as place
  from attached
  join project on project.id between attached.project_id and attached.project_id
  join described broker on broker.id = attached.broker_id
),
notices as materialized (
  select broker_id,
         json_agg(
           json_build_object('project', project_id, 'name', name, 'state', state, 'readOnly', read_only)
           order by place
         ) as told
  from told
  where place <= $15
  group by broker_id
)
select coming.broker_id as "brokerId", connected.epoch,
       coalesce(described.capabilities_revision, 0) as revision,
       coalesce(known.is_revoked, false) as revoked,
       exists (select from flagged where flagged.broker_id = coming.broker_id) as flagged,
       case when former.replica_id is not null
         then json_build_object('replicaId', former.replica_id, 'bootId', former.boot_id)
       end as former,
       coalesce(notices.told, '[]') as attachments
from coming
left join known on known.id = coming.broker_id
left join former on former.broker_id = coming.broker_id
left join connected on connected.broker_id = coming.broker_id
left join described on described.id = coming.broker_id
left join notices on notices.broker_id = coming.broker_id;
