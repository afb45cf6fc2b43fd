-- src/hub/dispatch/insert.repository.ts

-- insert_dispatches
with input as materialized (
  select input.*,
         broker.id is not null as known,
         input.capability is null or broker.capabilities is null or broker.capabilities ? input.capability
           as capable
  from unnest(
    $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::double precision[], $10::text[], $11::text[], $12::text[], $13::text[]
  ) with ordinality as input (
    id, broker_id, agent_id, op, args, capability, lane, ordering_key,
    deadline_s, initiator, scope, key, request_hash, place
  )
  left join broker on broker.id = input.broker_id and broker.revoked_at is null
),
kept as (
  insert into idempotency_key (scope, key, request_hash, subject_id)
  select scope, key, request_hash, id
  from input
  where key is not null and known and capable
  order by scope, key
  on conflict do nothing
  returning subject_id
),
inserted as (
  insert into broker_dispatch
    (id, broker_id, agent_id, op, args, lane, ordering_key, state, deadline_at, origin_replica, initiator, trail)
  select id, broker_id, agent_id, op, args::jsonb, lane, ordering_key, 'pending',
         now() + make_interval(secs => deadline_s), $14::uuid, initiator::jsonb,
         jsonb_build_array(jsonb_build_object('state', 'pending', 'at', clock_timestamp(), 'replica', $14::uuid))
  from input
  where known and capable and (key is null or exists (select from kept where kept.subject_id = input.id))
  order by place
  returning id, seq
)
select input.id, inserted.seq, input.known, input.capable, connection.replica_id as owner
from input
left join inserted on inserted.id = input.id
left join broker_connection connection on connection.broker_id = input.broker_id
order by input.place;

-- find_stored_dispatches
select stored.id, stored.seq, true as known, true as capable, connection.replica_id as owner
from (
  select id, seq, broker_id from broker_dispatch where id = any ($1::uuid[])
  union all
  select id, seq, broker_id from broker_dispatch_history where id = any ($1::uuid[])
) stored
left join broker_connection connection on connection.broker_id = stored.broker_id;

-- find_idempotency_keys
select kept.scope, kept.key, kept.request_hash as "requestHash", kept.subject_id as "subjectId"
from unnest($1::text[], $2::text[]) as asked (scope, key)
join idempotency_key kept on kept.scope = asked.scope and kept.key = asked.key;

-- keep_idempotency_key
insert into idempotency_key (scope, key, request_hash, subject_id)
values ($1, $2, $3, $4)
on conflict do nothing
returning subject_id;

-- sweep_idempotency_keys
with old as (
  select scope, key from idempotency_key
  where created_at < now() - interval '24 hours'
  order by created_at
  limit 1000
  for update skip locked
)
delete from idempotency_key using old
where idempotency_key.scope = old.scope and idempotency_key.key = old.key;
