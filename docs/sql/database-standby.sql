-- src/hub/database/standby.ts

-- see_synchronous_standby
select current_setting('synchronous_standby_names') <> '' as "isAskedFor",
       current_setting('synchronous_commit') not in ('off', 'local') as "isAwaited",
       pg_has_role('pg_read_all_stats', 'usage') as "isVisible",
       (select count(*) from pg_stat_replication where sync_state in ('sync', 'quorum'))::integer as connected;
