-- src/hub/auth/first-boot.ts

-- create_first_administrator
with administrator as (
  insert into hub_user (id, name, role)
  select $1, 'admin', 'admin'
  where not exists (select from hub_user)
  on conflict on constraint hub_user_name_is_unique do nothing
  returning id
),
made as (
  insert into personal_token (id, user_id, name, prefix, hash)
  select $2, administrator.id, 'first boot', $3, $4
  from administrator
  returning id
)
select id from made
union all
select id from personal_token where id = $2;

-- invite_first_administrator
with administrator as (
  insert into hub_user (id, name, role)
  select $1, 'admin', 'admin'
  where not exists (select from hub_user)
  on conflict on constraint hub_user_name_is_unique do nothing
  returning id
),
made as (
  insert into invite (id, user_id, hash, created_by, expires_at)
  select $2, administrator.id, $3, administrator.id, now() + make_interval(secs => $4)
  from administrator
  returning id
)
select id from made
union all
select id from invite where id = $2;

-- invite_first_administrator_again
update invite
set hash = $1, expires_at = now() + make_interval(secs => $2)
from hub_user administrator
where administrator.id = invite.user_id
  and administrator.id = invite.created_by
  and administrator.role = 'admin'
  and administrator.disabled_at is null
  and invite.redeemed_at is null
  and invite.revoked_at is null
  and (invite.expires_at <= now() or invite.hash = $1)
  and not exists (select from user_password where user_id = administrator.id)
  and not exists (select from personal_token where user_id = administrator.id)
  and not exists (select from user_session where user_id = administrator.id)
  and not exists (select from user_identity where user_id = administrator.id)
returning invite.id;
