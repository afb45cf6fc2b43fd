-- src/hub/dispatch/partition.repository.ts

-- find_missing_history_partitions
select to_char(ahead.day, 'YYYY-MM-DD') as day
from (
  select (now() at time zone 'UTC')::date + days as day from generate_series(0, $1::integer) as days
) ahead
where to_regclass('broker_dispatch_history_p' || to_char(ahead.day, 'YYYYMMDD')) is null
order by ahead.day;

-- make_history_partition
select try_history_partition($1::date) as made;

-- try_duty
select pg_try_advisory_xact_lock(hashtextextended('duty ' || $1::text, 3)) as mine;

-- find_old_history_partitions
select to_char(to_date(right(child.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') as day
from pg_inherits
join pg_class child on child.oid = pg_inherits.inhrelid
where pg_inherits.inhparent = 'broker_dispatch_history'::regclass
  and case when child.relname ~ '^broker_dispatch_history_p[0-9]{8}$'
        then to_date(right(child.relname, 8), 'YYYYMMDD') < (now() at time zone 'UTC')::date - $1::integer
        else false
      end
order by child.relname;

-- drop_history_partition
select drop_history_partition($1::date) as dropped;

-- forget_caught_history
with old as (
  select id
  from broker_dispatch_history_default
  where id < first_uuid_of((now() at time zone 'UTC')::date - $1::integer)
    and ended_at < now() - interval '24 hours'
  order by id
  limit $2
)
delete from broker_dispatch_history_default caught
using old
where caught.id = old.id
returning caught.id;
