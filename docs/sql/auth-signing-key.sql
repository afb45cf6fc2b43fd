-- src/hub/auth/signing-key.repository.ts

-- list_signing_keys_in_use
select id, public_jwk as "publicJwk", sealed_private as "sealedPrivate", retired_at is null as "isLive",
       (retired_at is null or retired_at > now() - interval '30 minutes') as "maySign", created_at as "createdAt",
       retired_at as "retiredAt"
from signing_key
where retired_at is null or retired_at > now() - interval '1 hour'
order by retired_at is not null, created_at desc, id desc
limit 16;

-- lock_making_of_signing_keys
select pg_advisory_xact_lock($1);

-- add_first_signing_key
insert into signing_key (id, public_jwk, sealed_private)
select $1, $2::jsonb, $3
where not exists (select from signing_key where retired_at is null);

-- add_signing_key
insert into signing_key (id, public_jwk, sealed_private)
values ($1, $2::jsonb, $3)
returning created_at as "createdAt";

-- retire_other_signing_keys
update signing_key set retired_at = now() where retired_at is null and id <> $1;
