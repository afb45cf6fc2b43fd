-- src/hub/registry/operation.repository.ts

-- cordon_broker
update broker
set cordoned_at = now(), revision = revision + 1
where id = $1 and revoked_at is null and cordoned_at is null
returning id;

-- drain_broker
update broker
set cordoned_at = coalesce(cordoned_at, now()), draining_at = now(), revision = revision + 1
where id = $1 and revoked_at is null and draining_at is null
returning id;

-- note_drained_brokers
update broker
set drained_at = now()
from unnest($1::uuid[], $2::integer[]) as seen (broker_id, revision)
where broker.id = seen.broker_id and broker.revision = seen.revision
  and broker.draining_at is not null and broker.drained_at is null
returning broker.id;

-- uncordon_broker
update broker
set cordoned_at = null, draining_at = null, drained_at = null, revision = revision + 1
where id = $1 and cordoned_at is not null
returning id;

-- hold_broker
select cordoned_at as "cordonedAt", draining_at as "drainingAt"
from broker
where id = $1 and revoked_at is null
for share;

-- update_broker
update broker
set name = coalesce($3::text, name),
    labels = (labels - $5::text[]) || $4::jsonb,
    given_labels = (given_labels - $5::text[]) || $4::jsonb,
    revision = revision + 1
where id = $1
  and ($2::integer is null or revision = $2)
  and (select count(*) from jsonb_object_keys((labels - $5::text[]) || $4::jsonb))
    <= greatest($6, (select count(*) from jsonb_object_keys(labels)))
returning id;

-- revoke_broker
update broker
set revoked_at = now(), revision = revision + 1
where id = $1 and revoked_at is null
returning id;
