-- src/hub/cluster/peers/nonce.repository.ts

-- spend_peer_nonce
with spent as (
  insert into peer_nonce (nonce, expires_at)
  select $1, $2::timestamptz + interval '60 seconds'
  where $2::timestamptz > now() - interval '60 seconds'
    and $2::timestamptz < now() + interval '60 seconds'
  on conflict on constraint peer_nonce_is_spent_once do nothing
  returning nonce
)
select exists (select from spent) as "isSpent",
       $2::timestamptz > now() - interval '60 seconds'
         and $2::timestamptz < now() + interval '60 seconds' as "isCurrent",
       now() as now;

-- sweep_peer_nonces
with locked as (
  select nonce
  from peer_nonce
  where expires_at <= now()
  limit $1
  for update skip locked
)
delete from peer_nonce
using locked
where peer_nonce.nonce = locked.nonce
returning peer_nonce.nonce;
