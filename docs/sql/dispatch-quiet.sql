-- src/hub/dispatch/quiet.repository.ts

-- mark_quiet_brokers_ready
with owned as materialized (
  select asked.broker_id, asked.epoch,
         coalesce((select floor.seq from broker_dispatch_floor floor where floor.broker_id = asked.broker_id), 0) as floor
  from (select unnest($2::uuid[]) as broker_id, unnest($3::bigint[]) as epoch) asked
  cross join lateral (
    select
    from broker_connection connection
    where connection.broker_id = asked.broker_id and connection.replica_id = $1 and connection.epoch = asked.epoch
    offset 0
  ) connection
),
quiet as materialized (
  select owned.broker_id, owned.epoch
  from owned
  cross join lateral (
    select count(*) as walked,
           coalesce(bool_or(ahead.state = any ($4::text[]) and ahead.claim_epoch <> owned.epoch), false) as has_out,
           coalesce(bool_or(ahead.contract = any ($5::text[])), false) as has_bound
    from (
      select dispatch.state, dispatch.claim_epoch, dispatch.contract
      from broker_dispatch dispatch
      where dispatch.broker_id = owned.broker_id and dispatch.seq >= owned.floor
      order by dispatch.seq
      limit $6
    ) ahead
  ) live
  where live.walked < $6 and not live.has_out and not live.has_bound
)
insert into broker_dispatch_floor as kept (broker_id, seq, ready_epoch)
select quiet.broker_id, 0, quiet.epoch
from quiet
order by quiet.broker_id
on conflict (broker_id) do update
set ready_epoch = greatest(kept.ready_epoch, excluded.ready_epoch)
returning kept.broker_id as "brokerId", kept.ready_epoch as epoch, kept.seq as floor;
