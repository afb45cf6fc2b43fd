-- src/hub/auth/broker-key.repository.ts

-- store_broker_key
insert into broker_key (id, broker_id, public_key)
values ($1, $2, $3)
on conflict on constraint broker_key_is_used_once do nothing
returning id;

-- lock_keys_of_broker
select id
from broker_key
where broker_id = $1 and retired_at is null
order by id
for update;

-- begin_broker_key
insert into broker_key (id, broker_id, public_key, confirm_by)
values ($1, $2, $3, now() + interval '1 hour')
on conflict do nothing
returning confirm_by as "confirmBy";

-- find_broker_key_that_waits
select broker_id = $1 and retired_at is null and confirm_by > now() as "isOwn", confirm_by as "confirmBy"
from broker_key
where public_key = $2;

-- confirm_broker_key
with confirmed as (
  update broker_key
  set confirm_by = null
  where id = $1 and retired_at is null and confirm_by > now()
  returning broker_id
),
ended as (
  update broker_key former
  set retired_at = now()
  from confirmed
  where former.broker_id = confirmed.broker_id and former.id <> $1 and former.retired_at is null
  returning former.public_key
)
select (select array_agg(public_key) from ended) as ended
from confirmed;

-- lapse_broker_keys
with locked as (
  select id
  from broker_key
  where confirm_by <= now() and retired_at is null and ($1::uuid is null or broker_id = $1)
  limit $2
  for update skip locked
)
update broker_key
set retired_at = confirm_by
from locked
where broker_key.id = locked.id
returning broker_key.broker_id as "brokerId", broker_key.public_key as "publicKey";

-- retire_keys_of_broker
update broker_key set retired_at = now() where broker_id = $1 and retired_at is null;

-- list_newest_keys_of_broker
select id, public_key as "publicKey", confirm_by is not null as "isWaiting",
       retired_at is null and (confirm_by is null or confirm_by > now()) as "isLive"
from broker_key
where broker_id = $1
order by retired_at is not null, id desc
limit 8;

-- find_holder_of_broker_key
select broker_id as "brokerId"
from broker_key
where public_key = $1 and retired_at is null and confirm_by is null;
