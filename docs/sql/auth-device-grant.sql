-- src/hub/auth/device-grant.repository.ts

-- create_device_grant
with waiting as (
  select count(*) as of_hub, count(*) filter (where address_key = $6) as of_address
  from device_grant
  where answer is null and expires_at > now()
),
room as (
  select of_hub < $9 and of_address < $10 as is_left
  from waiting
),
made as (
  insert into device_grant (id, device_hash, user_hash, name, address, address_key, expires_at, interval_s)
  select $1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7), $8
  from room
  where is_left
  on conflict on constraint device_grant_user_code_is_unique do nothing
  returning id
)
select case when exists (select from made) then 'made' when is_left then 'taken' else 'full' end as making
from room;

-- find_open_device_grant
select id, name, address, created_at as "createdAt", expires_at as "expiresAt"
from device_grant
where user_hash = $1 and answer is null and expires_at > now();

-- answer_device_grant
update device_grant
set answer = $2, answered_by = $3
where user_hash = $1 and answer is null and expires_at > now()
returning id, name, address, created_at as "createdAt", expires_at as "expiresAt";

-- ask_device_grant
with asked as (
  select device_grant.id, device_grant.name, answer, answered_by, person.name as "userName",
         coalesce(asked_at > now() - make_interval(secs => interval_s), false) as "isTooSoon"
  from device_grant
  left join hub_user person on person.id = answered_by
  where device_hash = $1 and redeemed_at is null and expires_at > now()
  for update of device_grant
),
noted as (
  update device_grant
  set asked_at = now(), interval_s = interval_s + case when asked."isTooSoon" then 5 else 0 end
  from asked
  where device_grant.id = asked.id
  returning device_grant.interval_s
)
select asked.id, asked.name, asked.answer, asked.answered_by as "userId", asked."userName", asked."isTooSoon",
       noted.interval_s as "intervalS"
from asked, noted;

-- redeem_device_grant
update device_grant set redeemed_at = now() where id = $1;

-- sweep_device_grants
delete from device_grant
where id in (
  select id from device_grant where expires_at < now() - interval '1 hour' order by expires_at limit $1
  for update skip locked
)
returning id;
