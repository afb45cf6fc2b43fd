-- src/hub/registry/attachment.repository.ts

-- attach_broker
with asked as materialized (
  select project.id as project_id, broker.id as broker_id, not broker.is_shared as is_exclusive,
         case
           when connection.replica_id is null or broker.capabilities is null then 'registering'
           when presence.state = 'degraded' then 'degraded'
           else 'online'
         end as state,
         connection.replica_id as owner
  from project
  cross join broker
  left join broker_connection connection on connection.broker_id = broker.id
  left join broker_presence presence on presence.broker_id = broker.id
  where project.id = $2 and project.archived_at is null and broker.id = $3 and broker.revoked_at is null
  for share of project
),
given_up as (
  update broker_attachment other
  set detached_at = now(), changed_at = now()
  from asked
  where other.broker_id = asked.broker_id and other.project_id <> asked.project_id and asked.is_exclusive
    and other.state = 'offline' and other.detached_at is null
    and not exists (
      select from broker_attachment own
      where own.broker_id = asked.broker_id and own.project_id = asked.project_id and own.state <> 'offline'
    )
),
attached as (
  insert into broker_attachment as held (id, project_id, broker_id, state, is_exclusive, attached_by)
  select $1, project_id, broker_id, state, is_exclusive, $4 from asked
  on conflict on constraint broker_attachment_is_one_a_project do update
  set state = excluded.state, is_exclusive = excluded.is_exclusive, attached_by = excluded.attached_by,
      attached_at = now(), changed_at = now(), detached_at = null
  where held.state = 'offline'
  returning held.broker_id
)
select attached.broker_id as "brokerId", asked.owner
from attached
join asked on asked.broker_id = attached.broker_id;

-- detach_broker
with detached as (
  update broker_attachment
  set state = 'offline', detached_at = now(), changed_at = now()
  where project_id = $1 and broker_id = $2 and state <> 'revoked' and detached_at is null
  returning broker_id
)
select detached.broker_id as "brokerId", connection.replica_id as owner
from detached
left join broker_connection connection on connection.broker_id = detached.broker_id;

-- revoke_attachment
with revoked as (
  update broker_attachment
  set state = 'revoked', detached_at = coalesce(detached_at, now()), changed_at = now()
  where project_id = $1 and broker_id = $2 and state <> 'revoked'
  returning broker_id
)
select revoked.broker_id as "brokerId", connection.replica_id as owner
from revoked
left join broker_connection connection on connection.broker_id = revoked.broker_id;

-- get_attachment
select
         attachment.id, attachment.project_id as "projectId", project.name as "projectName",
         case when project.min_broker_major is not null
           then json_build_object('major', project.min_broker_major, 'minor', project.min_broker_minor) end as floor,
         attachment.broker_id as "brokerId", broker.name as "brokerName", broker.software, attachment.state,
         attachment.is_exclusive as "isExclusive", attachment.attached_by as "attachedBy",
         attachment.attached_at as "attachedAt", attachment.changed_at as "changedAt",
         attachment.detached_at as "detachedAt"
  from broker_attachment attachment
  join project on project.id = attachment.project_id
  join broker on broker.id = attachment.broker_id
  where attachment.project_id = $1 and attachment.broker_id = $2;

-- hold_attachment
select state, detached_at as "detachedAt"
from broker_attachment
where project_id = $1 and broker_id = $2
for share;

-- list_attachments
select
         attachment.id, attachment.project_id as "projectId", project.name as "projectName",
         case when project.min_broker_major is not null
           then json_build_object('major', project.min_broker_major, 'minor', project.min_broker_minor) end as floor,
         attachment.broker_id as "brokerId", broker.name as "brokerName", broker.software, attachment.state,
         attachment.is_exclusive as "isExclusive", attachment.attached_by as "attachedBy",
         attachment.attached_at as "attachedAt", attachment.changed_at as "changedAt",
         attachment.detached_at as "detachedAt"
  from broker_attachment attachment
  join project on project.id = attachment.project_id
  join broker on broker.id = attachment.broker_id
  where ($1::uuid is null or attachment.id < $1)
    and ($2::uuid is null or attachment.project_id = $2)
    and ($3::uuid is null or attachment.broker_id = $3)
    and ($4::text is null or attachment.state = $4)
    and ($6::uuid[] is null or attachment.project_id = any ($6))
  order by attachment.id desc
  limit $5;

-- read_attachments_of_brokers
select
         attachment.id, attachment.project_id as "projectId", project.name as "projectName",
         case when project.min_broker_major is not null
           then json_build_object('major', project.min_broker_major, 'minor', project.min_broker_minor) end as floor,
         attachment.broker_id as "brokerId", broker.name as "brokerName", broker.software, attachment.state,
         attachment.is_exclusive as "isExclusive", attachment.attached_by as "attachedBy",
         attachment.attached_at as "attachedAt", attachment.changed_at as "changedAt",
         attachment.detached_at as "detachedAt"
  from broker_attachment attachment
  join project on project.id = attachment.project_id
  join broker on broker.id = attachment.broker_id
  where attachment.broker_id = any ($1::uuid[])
  order by attachment.id;

-- read_latest_attachments_of_brokers
select *
  from (
    select
         attachment.id, attachment.project_id as "projectId", project.name as "projectName",
         case when project.min_broker_major is not null
           then json_build_object('major', project.min_broker_major, 'minor', project.min_broker_minor) end as floor,
         attachment.broker_id as "brokerId", broker.name as "brokerName", broker.software, attachment.state,
         attachment.is_exclusive as "isExclusive", attachment.attached_by as "attachedBy",
         attachment.attached_at as "attachedAt", attachment.changed_at as "changedAt",
         attachment.detached_at as "detachedAt",
         row_number() over (
           partition by attachment.broker_id order by attachment.detached_at is not null, attachment.id desc
         ) as place,
         (count(*) over (partition by attachment.broker_id))::integer as total
  from broker_attachment attachment
  join project on project.id = attachment.project_id
  join broker on broker.id = attachment.broker_id
    where attachment.broker_id = any ($1::uuid[]) and ($2::uuid[] is null or attachment.project_id = any ($2))
  ) seen
  where place <= $3
  order by "brokerId", place;

-- list_brokers_of_project
select
       broker.id, broker.name, broker.labels, broker.capabilities,
       broker.capabilities_revision as "capabilitiesRevision", broker.software,
       broker.is_shared as "isShared",
       broker.created_at as "createdAt", broker.revoked_at as "revokedAt", broker.revision,
       case
         when broker.drained_at is not null then 'drained'
         when broker.draining_at is not null then 'draining'
         when broker.cordoned_at is not null then 'cordoned'
         else 'open'
       end as service,
       coalesce(broker.drained_at, broker.draining_at, broker.cordoned_at) as "serviceSince",
       broker.displaced_at as "displacedAt",
       (select max(used.flagged_at) from broker_key used
        where used.broker_id = broker.id and used.retired_at is null) as "keyFlaggedAt",
       (select json_object_agg(
          case when held.confirm_by is null then 'live' else 'waiting' end,
          json_build_object('publicKey', held.public_key, 'createdAt', held.created_at, 'confirmBy', held.confirm_by)
        )
        from broker_key held
        where held.broker_id = broker.id and held.retired_at is null
          and (held.confirm_by is null or held.confirm_by > now())) as keys,
       connection.replica_id as "replicaId", connection.epoch, connection.transport, connection.since,
       connection.released_at as "releasedAt", connection.release_reason as "releaseReason",
       presence.state as presence, presence.load, presence.running,
       presence.last_seen_at as "lastSeenAt", presence.changed_at as "presenceChangedAt", now() as now,
       case when project.min_broker_major is not null
         then json_build_object('major', project.min_broker_major, 'minor', project.min_broker_minor) end as floor,
       attachment.state, attachment.changed_at as "changedAt", attachment.detached_at as "detachedAt"
from broker_attachment attachment
join project on project.id = attachment.project_id
join broker on broker.id = attachment.broker_id
left join broker_connection connection on connection.broker_id = broker.id
left join broker_presence presence on presence.broker_id = broker.id
where attachment.project_id = $9
  and ($10::text is null or attachment.state = $10)
  and
  ($1::uuid is null or broker.id < $1)
  and ($3::jsonb is null or broker.labels @> $3)
  and ($4::text is null or presence.state = $4)
  and ($5::integer is null or (broker.version_major, broker.version_minor) = ($5, $6::integer))
  and case
    when $7::text is null then true
    when $7 = 'none' then connection.replica_id is null
    else exists (
      select from hub_replica replica
      where replica.id = connection.replica_id and (replica.id::text = $7 or replica.name = $7)
    )
  end
  and ($8::text is null or $8 = case
         when broker.drained_at is not null then 'drained'
         when broker.draining_at is not null then 'draining'
         when broker.cordoned_at is not null then 'cordoned'
         else 'open'
       end)
order by broker.id desc
limit $2;

-- find_owners_of_attached_brokers
select attachment.broker_id as "brokerId", connection.replica_id as owner
from broker_attachment attachment
join broker_connection connection on connection.broker_id = attachment.broker_id
where attachment.project_id = $1 and attachment.detached_at is null and connection.replica_id is not null;

-- follow_presence_with_attachments
with duty as materialized (
  select pg_try_advisory_xact_lock(hashtextextended('duty attachments', 3)) as mine
),
changing as (
  select attachment.id, connection.replica_id as owner,
         case when presence.state in ('online', 'degraded') then presence.state else 'offline' end as state
  from duty
  join broker_attachment attachment on duty.mine
  join broker on broker.id = attachment.broker_id
  join broker_presence presence on presence.broker_id = attachment.broker_id
  join broker_connection connection on connection.broker_id = attachment.broker_id
  where attachment.detached_at is null and broker.capabilities is not null
    and case attachment.state
      when 'registering' then connection.replica_id is not null and presence.state in ('online', 'degraded')
      when 'offline' then presence.state in ('online', 'degraded') and not (
        attachment.is_exclusive and exists (
          select from broker_attachment other
          where other.broker_id = attachment.broker_id and other.is_exclusive
            and other.state in ('registering', 'online', 'degraded')
        )
      )
      else attachment.state
        <> case when presence.state in ('online', 'degraded') then presence.state else 'offline' end
    end
  order by attachment.id
  for update of attachment skip locked
)
update broker_attachment attachment
set state = changing.state, changed_at = now()
from changing
where attachment.id = changing.id
returning attachment.broker_id as "brokerId", changing.owner;
