-- src/hub/auth/sign-in.repository.ts

-- know_user_who_signs_in
select person.id as "userId", person.name, password.hash
from hub_user person
left join user_password password on password.user_id = person.id
where (person.name = $1 or person.email = lower($1)) and person.disabled_at is null
order by person.name = $1 desc
limit 1;

-- find_password_of_user
select hash from user_password where user_id = $1;

-- hold_password_of_user
select user_id
from user_password
where user_id = $1 and hash = $2
for share;

-- set_password_of_user
insert into user_password (user_id, hash)
values ($1, $2)
on conflict on constraint user_password_is_one_a_user do update
set hash = excluded.hash, changed_at = now();

-- change_password_of_user
insert into user_password as kept (user_id, hash)
values ($1, $3)
on conflict on constraint user_password_is_one_a_user do update
set hash = excluded.hash, changed_at = now()
where kept.hash = $2
returning user_id;

-- find_open_invite
select invite.id
from invite
join hub_user person on person.id = invite.user_id
where invite.hash = $1 and invite.redeemed_at is null and invite.revoked_at is null and invite.expires_at > now()
  and person.disabled_at is null;

-- redeem_invite
update invite
set redeemed_at = now()
from hub_user person
where invite.hash = $1 and invite.redeemed_at is null and invite.revoked_at is null and invite.expires_at > now()
  and person.id = invite.user_id and person.disabled_at is null
returning invite.id, person.id as "userId", person.name;
