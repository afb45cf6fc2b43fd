-- src/hub/dispatch/floor.repository.ts

-- store_dispatch_floors
with relaxed as materialized (select set_config('synchronous_commit', 'off', true))
insert into broker_dispatch_floor as kept (broker_id, seq)
select risen.broker_id, risen.seq
from relaxed, unnest($2::uuid[], $3::bigint[], $4::bigint[]) as risen (broker_id, epoch, seq)
join broker_connection connection
  on connection.broker_id = risen.broker_id and connection.epoch = risen.epoch and connection.replica_id = $1
order by risen.broker_id
on conflict (broker_id) do update
set seq = excluded.seq, stored_at = now()
where kept.seq < excluded.seq;

-- read_dispatch_floor
select seq from broker_dispatch_floor where broker_id = $1;
