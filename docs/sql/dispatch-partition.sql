-- src/hub/dispatch/partition.repository.ts

-- make_history_partitions_ahead
select make_history_partition((now() at time zone 'UTC')::date + ahead.days)
from generate_series(0, $1::integer) as ahead (days);

-- try_duty
select pg_try_advisory_xact_lock(hashtextextended('duty ' || $1::text, 3)) as mine;
