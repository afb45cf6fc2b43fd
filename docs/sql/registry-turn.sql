-- src/hub/registry/turn.ts

-- lock_broker_for_connect
select pg_advisory_xact_lock(hashtextextended($1::text, 1));

-- lock_brokers_for_connects
select asked.id as "brokerId"
from unnest($1::uuid[]) as asked (id)
where pg_try_advisory_xact_lock(hashtextextended(asked.id::text, 1));
