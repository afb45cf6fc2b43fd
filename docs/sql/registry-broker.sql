-- src/hub/registry/broker.repository.ts

-- create_broker
insert into broker (id, name, fingerprint, labels, given_labels, software, version_major, version_minor, is_shared)
values ($1, $2, $3, $4::jsonb || $5::jsonb, $5::jsonb, $6, $7, $8, $9);

-- list_brokers
select 
       broker.id, broker.name, broker.labels, broker.capabilities,
       broker.capabilities_revision as "capabilitiesRevision", broker.software,
       broker.is_shared as "isShared",
       broker.created_at as "createdAt", broker.revoked_at as "revokedAt",
       connection.replica_id as "replicaId", connection.epoch, connection.transport, connection.since,
       connection.released_at as "releasedAt", connection.release_reason as "releaseReason",
       presence.state as presence, presence.load, presence.running,
       presence.last_seen_at as "lastSeenAt", presence.changed_at as "presenceChangedAt"
from broker
left join broker_connection connection on connection.broker_id = broker.id
left join broker_presence presence on presence.broker_id = broker.id
where $1::uuid is null or broker.id < $1 order by broker.id desc limit $2;

-- get_broker
select 
       broker.id, broker.name, broker.labels, broker.capabilities,
       broker.capabilities_revision as "capabilitiesRevision", broker.software,
       broker.is_shared as "isShared",
       broker.created_at as "createdAt", broker.revoked_at as "revokedAt",
       connection.replica_id as "replicaId", connection.epoch, connection.transport, connection.since,
       connection.released_at as "releasedAt", connection.release_reason as "releaseReason",
       presence.state as presence, presence.load, presence.running,
       presence.last_seen_at as "lastSeenAt", presence.changed_at as "presenceChangedAt"
from broker
left join broker_connection connection on connection.broker_id = broker.id
left join broker_presence presence on presence.broker_id = broker.id
where broker.id = $1;

-- find_broker_by_name
select id from broker where name = $1;
