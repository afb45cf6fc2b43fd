-- src/hub/registry/stay.repository.ts

-- list_stays_of_broker
select stay.id, stay.replica_id as "replicaId", replica.name as "replicaName", stay.epoch,
       stay.began_at as "beganAt", stay.ended_at as "endedAt", stay.end_reason as "endReason"
from broker_stay stay
left join hub_replica replica on replica.id = stay.replica_id
where stay.broker_id = $1
  and ($2::uuid is null or stay.epoch < (
    select last.epoch from broker_stay last where last.broker_id = $1 and last.id = $2
  ))
order by stay.epoch desc
limit $3;

-- find_stay_of_broker_at
select stay.id, stay.replica_id as "replicaId", replica.name as "replicaName", stay.epoch,
       stay.began_at as "beganAt", stay.ended_at as "endedAt", stay.end_reason as "endReason"
from broker_stay stay
left join hub_replica replica on replica.id = stay.replica_id
where stay.broker_id = $1 and stay.began_at <= $2 and coalesce(stay.ended_at > $2, true)
order by stay.epoch desc
limit 1;

-- end_stays_left_open
update broker_stay stay
set ended_at = case when connection.epoch > stay.epoch then connection.since else connection.released_at end,
    end_reason = 'not_told'
from broker_connection connection
where connection.broker_id = stay.broker_id and stay.ended_at is null
  and (connection.epoch > stay.epoch or connection.replica_id is null)
returning stay.id;

-- list_moves_from_replica
select stay.broker_id as "brokerId", broker.name, stay.end_reason as "endReason",
       following.began_at is not null as "isBack",
       extract(epoch from greatest(interval '0', coalesce(following.began_at, now()) - stay.ended_at))::double precision
         * 1000 as "gapMs"
from broker_stay stay
join broker on broker.id = stay.broker_id
left join lateral (
  select later.began_at
  from broker_stay later
  where later.broker_id = stay.broker_id and later.epoch > stay.epoch
  order by later.epoch
  limit 1
) following on true
where stay.replica_id = $1
  and stay.ended_at >= $2::timestamptz - interval '1 second'
  and stay.ended_at <= $3::timestamptz + interval '15 seconds'
order by stay.broker_id, stay.epoch
limit 100000;

-- forget_old_stays
with old as (
  select broker_id, epoch
  from broker_stay
  where ended_at < now() - interval '30 days'
  limit $1
  for update skip locked
)
delete from broker_stay stay
using old
where stay.broker_id = old.broker_id and stay.epoch = old.epoch
returning stay.id;
