-- src/hub/doctor/doctor.repository.ts

-- see_database_server
select current_setting('server_version_num')::integer as "version",
       current_setting('server_encoding') as "encoding",
       current_setting('fsync') as "fsync",
       current_setting('full_page_writes') as "fullPageWrites",
       current_setting('synchronous_commit') as "synchronousCommit",
       current_setting('log_timezone') as "logTimezone",
       pg_is_in_recovery() or current_setting('default_transaction_read_only') = 'on' as "isReadOnly",
       current_setting('max_connections')::integer
         - current_setting('superuser_reserved_connections')::integer
         - coalesce(current_setting('reserved_connections', true), '0')::integer as "connections",
       (select rolconnlimit from pg_roles where rolname = current_user) as "roleLimit",
       (select datconnlimit from pg_database where datname = current_database()) as "databaseLimit",
       coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as "isEncrypted",
       has_schema_privilege(current_schema(), 'create') as "mayCreate",
       current_setting('lock_timeout') as "lockTimeout",
       clock_timestamp() as "now";

-- tell_doctor
select pg_notify($1, $2);

-- see_oldest_transaction
select coalesce(max(extract(epoch from clock_timestamp() - xact_start)), 0)::float8 as "seconds"
from pg_stat_activity
where backend_xmin is not null and backend_type = 'client backend' and pid <> pg_backend_pid();

-- see_replicas_that_are_not_gone
select name, software, internal_url as "internalUrl",
       extract(epoch from clock_timestamp() - last_seen_at)::float8 as "silentS"
from hub_replica
where state <> 'gone'
order by started_at, id
limit 200;

-- count_sealed_by_key
with sealed (place, head) as (
  select 'signing_key', substring(sealed_private for 5)
  from signing_key
  where retired_at is null or retired_at > now() - interval '1 hour'
  union all
  select 'agent', substring(decode(spec #>> '{environment,$sealed}', 'base64') for 5)
  from agent
  where spec #>> '{environment,$sealed}' is not null
  union all
  select 'broker_dispatch', case
           when found.value #>> '{}' ~ '^([A-Za-z0-9+/]{4}){11,}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$'
             then substring(decode(found.value #>> '{}', 'base64') for 5)
         end
  from (select args from broker_dispatch limit 100000) as live
  cross join lateral jsonb_path_query(live.args, '$.**."$sealed"') as found (value)
)
select place, head, count(*) as count
from sealed
where head is not null
group by place, head
order by place, head;
