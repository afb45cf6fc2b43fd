-- src/hub/auth/personal-token.repository.ts

-- create_personal_token
insert into personal_token (id, user_id, name, prefix, hash, expires_at, access, project_ids)
values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6), $7, $8)
returning id, name, prefix, access, project_ids as "projectIds", created_at as "createdAt", expires_at as "expiresAt",
          revoked_at as "revokedAt", last_used_at as "lastUsedAt";

-- hold_holder_of_personal_tokens
select id from hub_user where id = $1 and disabled_at is null for no key update;

-- count_live_personal_tokens_of_user
select count(*) as count
from personal_token
where user_id = $1 and revoked_at is null and (expires_at is null or expires_at > now());

-- find_unknown_projects
select asked.id
from unnest($1::uuid[]) as asked (id)
where not exists (select from project where project.id = asked.id);

-- find_holder_of_live_personal_token
select token.id as "tokenId", holder.id as "userId", holder.name, holder.role, token.access,
       token.project_ids as "projectIds",
       (
         select coalesce(jsonb_object_agg(member.project_id, member.role), '{}')
         from project_member member
         where member.user_id = holder.id
       ) as memberships,
       (extract(epoch from token.expires_at - now()) * 1000)::double precision as "leftMs",
       coalesce(token.last_used_at < now() - interval '5 minutes', true) as "isUseStale"
from personal_token token
join hub_user holder on holder.id = token.user_id
where token.hash = $1
  and token.revoked_at is null
  and (token.expires_at is null or token.expires_at > now())
  and holder.disabled_at is null;

-- note_use_of_personal_token
update personal_token set last_used_at = now() where id = $1;

-- list_personal_tokens_of_user
select id, name, prefix, access, project_ids as "projectIds", created_at as "createdAt", expires_at as "expiresAt",
          revoked_at as "revokedAt", last_used_at as "lastUsedAt"
from personal_token
where user_id = $1 and ($2::uuid is null or id < $2)
order by id desc
limit $3;

-- revoke_personal_token_of_user
update personal_token
set revoked_at = coalesce(revoked_at, now())
where id = $1 and user_id = $2
returning hash;
