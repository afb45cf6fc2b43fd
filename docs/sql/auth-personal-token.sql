-- src/hub/auth/personal-token.repository.ts

-- create_personal_token
insert into personal_token (id, user_id, name, prefix, hash, expires_at)
values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
returning id, name, prefix, created_at as "createdAt", expires_at as "expiresAt", revoked_at as "revokedAt";

-- find_holder_of_live_personal_token
select token.id as "tokenId", holder.id as "userId", holder.name, holder.role,
       (extract(epoch from token.expires_at - now()) * 1000)::double precision as "leftMs"
from personal_token token
join hub_user holder on holder.id = token.user_id
where token.hash = $1
  and token.revoked_at is null
  and (token.expires_at is null or token.expires_at > now());

-- list_personal_tokens_of_user
select id, name, prefix, created_at as "createdAt", expires_at as "expiresAt", revoked_at as "revokedAt"
from personal_token
where user_id = $1 and ($2::uuid is null or id < $2)
order by id desc
limit $3;

-- revoke_personal_token_of_user
update personal_token
set revoked_at = coalesce(revoked_at, now())
where id = $1 and user_id = $2
returning hash;
