-- src/hub/registry/broker.repository.ts

-- create_broker
insert into broker (id, name, fingerprint, labels, given_labels, software, version_major, version_minor, is_shared)
values ($1, $2, $3, $4::jsonb || $5::jsonb, $5::jsonb, $6, $7, $8, $9);

-- list_brokers
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
       presence.last_seen_at as "lastSeenAt", presence.changed_at as "presenceChangedAt", now() as now
from broker
left join broker_connection connection on connection.broker_id = broker.id
left join broker_presence presence on presence.broker_id = broker.id
where
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
  and ($9::uuid[] is null or exists (
    select from broker_attachment attachment
    where attachment.broker_id = broker.id and attachment.project_id = any ($9)
  ))
order by broker.id desc
limit $2;

-- get_broker
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
       presence.last_seen_at as "lastSeenAt", presence.changed_at as "presenceChangedAt", now() as now
from broker
left join broker_connection connection on connection.broker_id = broker.id
left join broker_presence presence on presence.broker_id = broker.id
where broker.id = $1;

-- find_broker_by_name
select id from broker where name = $1;

-- see_broker
select id from broker where id = $1 and ($2::uuid[] is null or exists (
      select from broker_attachment attachment
      where attachment.broker_id = broker.id and attachment.project_id = any ($2)
    ));

-- see_broker_by_name
select id from broker where name = $1 and ($2::uuid[] is null or exists (
      select from broker_attachment attachment
      where attachment.broker_id = broker.id and attachment.project_id = any ($2)
    ));

-- find_name_of_broker_on_machine
select name from broker where id = $1 and fingerprint = $2 and revoked_at is null;

-- find_standings_of_brokers
select id, case when revoked_at is null then 'welcome' else 'revoked' end as standing
from broker
where id = any ($1::uuid[]);
