-- src/hub/auth/join-token.repository.ts

-- create_join_token
insert into join_token (id, prefix, hash, seats, labels, created_by, expires_at, is_shared)
values ($1, $2, $3, $4, $5::jsonb, $6, now() + make_interval(secs => $7), $8)
returning id, prefix, seats, taken, labels, is_shared as "isShared", created_by as "createdBy", created_at as "createdAt",
          expires_at as "expiresAt", revoked_at as "revokedAt";

-- take_seat_of_join_token
update join_token
set taken = taken + 1
where hash = $1 and taken < seats and expires_at > now() and revoked_at is null
returning id, labels, is_shared as "isShared";

-- find_open_join_token
select id from join_token where hash = $1 and expires_at > now() and revoked_at is null;

-- list_join_tokens
select id, prefix, seats, taken, labels, is_shared as "isShared", created_by as "createdBy", created_at as "createdAt",
       expires_at as "expiresAt", revoked_at as "revokedAt"
from join_token
where $1::uuid is null or id < $1
order by id desc
limit $2;

-- revoke_join_token
update join_token set revoked_at = coalesce(revoked_at, now()) where id = $1 returning id;
