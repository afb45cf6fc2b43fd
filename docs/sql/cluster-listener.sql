-- src/hub/cluster/listener.ts

-- is_standby_server
select pg_is_in_recovery() as standby;
