-- src/hub/registry/turn.ts

-- lock_broker_for_connect
select pg_advisory_xact_lock(hashtextextended($1::text, 1));

-- lock_brokers_for_connects
with hurried as materialized (select set_config('lock_timeout', '100ms', true))
select asked.id as "brokerId"
from hurried, unnest($1::uuid[]) as asked (id)
where pg_try_advisory_xact_lock(hashtextextended(asked.id::text, 1));
