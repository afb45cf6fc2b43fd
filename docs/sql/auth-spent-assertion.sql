-- src/hub/auth/spent-assertion.repository.ts

-- spend_assertion
with spent as (
  insert into spent_assertion (jti, expires_at)
  select $1, $2
  where $2::timestamptz > now()
    and exists (
      select from broker_key
      where id = $3 and retired_at is null and (confirm_by is null or confirm_by > now())
    )
  on conflict on constraint spent_assertion_is_spent_once do nothing
  returning jti
)
select exists (select from spent) as "isSpent", $2::timestamptz <= now() as "hasEnded", now() as now;

-- spend_proofs_of_brokers
with shown as (
  select jti, ends_at, broker_id, public_key
  from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[]) as shown (jti, ends_at, broker_id, public_key)
),
spent as (
  insert into spent_assertion (jti, expires_at)
  select shown.jti, shown.ends_at
  from shown
  where shown.ends_at > now()
    and exists (
      select from broker_key key
      where key.public_key = shown.public_key and key.broker_id = shown.broker_id and key.retired_at is null
        and (key.confirm_by is null or key.confirm_by > now())
    )
  order by shown.jti
  on conflict on constraint spent_assertion_is_spent_once do nothing
  returning jti
)
select now() as now, coalesce((select array_agg(jti) from spent), '{}') as spent;

-- sweep_spent_assertions
with locked as (
  select jti
  from spent_assertion
  where expires_at <= now()
  limit $1
  for update skip locked
)
delete from spent_assertion
using locked
where spent_assertion.jti = locked.jti
returning spent_assertion.jti;
