-- src/hub/copying/copy.repository.ts

-- see_hub_to_copy
select id from hub_identity;

-- count_replicas_of_source
select count(*)::integer as count
from hub_replica
where state <> 'gone' and last_seen_at > clock_timestamp() - interval '10 seconds';

-- try_lock_of_migrations
select pg_try_advisory_xact_lock($1) as mine;

-- see_lock_of_migrations
select exists (
         select from pg_locks
         where locktype = 'advisory' and pid = pg_backend_pid()
           and classid = 0 and objid::bigint = $1 and objsubid = 1
       ) as mine;

-- make_copy_progress
create table copy_progress (
  source uuid not null,
  name text not null,
  last_row text,
  rows bigint not null default 0,
  is_whole boolean not null default false,
  constraint copy_progress_is_one_a_table primary key (source, name)
);

-- hide_migrations_of_copy
alter table schema_migration rename to schema_migration_of_copy;

-- show_migrations_of_copy
alter table schema_migration_of_copy rename to schema_migration;

-- drop_copy_progress
drop table copy_progress;

-- forget_identity_of_empty_hub
delete from hub_identity;

-- enter_table_to_copy
insert into copy_progress (source, name) values ($1, $2);

-- read_copy_progress
select source, name, last_row as "lastRow", rows, is_whole as "isWhole"
from copy_progress
order by name;

-- advance_copy_progress
update copy_progress set last_row = $2, rows = rows + $3, is_whole = $4 where name = $1;

-- list_days_of_history
select to_char(to_date(right(child.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') as day
from pg_inherits
join pg_class child on child.oid = pg_inherits.inhrelid
where pg_inherits.inhparent = 'broker_dispatch_history'::regclass
  and child.relname ~ '^broker_dispatch_history_p[0-9]{8}$'
order by child.relname;

-- make_day_of_history
select make_history_partition($1::date);

-- list_sequences_to_copy
select sequencename as name, last_value::text as "lastValue"
from pg_sequences
where schemaname = current_schema() and last_value is not null
order by sequencename;

-- set_copied_sequence
select setval(quote_ident($1)::regclass, $2::bigint);
