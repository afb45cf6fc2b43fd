-- src/hub/auth/broker-key.repository.ts

-- store_broker_key
insert into broker_key (id, broker_id, public_key)
values ($1, $2, $3)
on conflict on constraint broker_key_is_used_once do nothing
returning id;

-- retire_keys_of_broker
update broker_key set retired_at = now() where broker_id = $1 and retired_at is null;

-- list_newest_keys_of_broker
select id, public_key as "publicKey", retired_at is null as "isLive"
from broker_key
where broker_id = $1
order by retired_at is not null, id desc
limit 8;

-- find_holder_of_broker_key
select broker_id as "brokerId" from broker_key where public_key = $1 and retired_at is null;
