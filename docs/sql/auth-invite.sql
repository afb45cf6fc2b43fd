-- src/hub/auth/invite.repository.ts

-- hold_invited_user
select id
from hub_user
where id = $1
for no key update;

-- create_invite
insert into invite (id, user_id, hash, created_by, expires_at)
select $1, person.id, $3, $4, now() + make_interval(secs => $5)
from hub_user person
where person.id = $2 and person.disabled_at is null
returning expires_at as "expiresAt";

-- void_invites_of_user
update invite
set revoked_at = now(), expires_at = now()
where user_id = $1 and redeemed_at is null and revoked_at is null and expires_at > now();

-- list_invites
select invite.id, invite.user_id as "userId", person.name, person.email, person.role, invite.created_by as "createdBy",
       maker.name as "createdByName", invite.created_at as "createdAt", invite.expires_at as "expiresAt",
       invite.redeemed_at as "redeemedAt", invite.revoked_at as "revokedAt",
       case when invite.redeemed_at is not null then 'redeemed'
            when invite.revoked_at is not null then 'revoked'
            when invite.expires_at <= now() then 'expired'
            else 'open' end as state
from invite
join hub_user person on person.id = invite.user_id
left join hub_user maker on maker.id = invite.created_by
where $1::uuid is null or invite.id < $1
order by invite.id desc
limit $2;

-- revoke_invite
update invite
set revoked_at = coalesce(invite.revoked_at, now()), expires_at = least(invite.expires_at, now())
from hub_user person
where invite.id = $1 and invite.redeemed_at is null and person.id = invite.user_id
returning person.id as "userId", person.name;

-- find_invited_user
select person.id as "userId", person.name
from invite
join hub_user person on person.id = invite.user_id
where invite.id = $1;
