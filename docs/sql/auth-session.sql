-- src/hub/auth/session.repository.ts

-- begin_session
insert into user_session (id, user_id, expires_at)
values ($1, $2, now() + make_interval(secs => $3));

-- give_refresh_token
insert into refresh_token (hash, session_id, parent_hash) values ($1, $2, $3);

-- show_refresh_token
select session.id as "sessionId", session.user_id as "userId", person.name,
       (
         token.hash is not distinct from session.used_hash
         or token.parent_hash is not distinct from session.used_hash
       ) as "isGood"
from refresh_token token
join user_session session on session.id = token.session_id
join hub_user person on person.id = session.user_id
where token.hash = $1
  and session.ended_at is null
  and session.expires_at > now()
  and person.disabled_at is null
for update of session;

-- use_refresh_token
update user_session set used_hash = $2, refreshed_at = now() where id = $1;

-- end_session_of_user
update user_session
set ended_at = now()
where id = $1 and user_id = $2 and ended_at is null
returning id;

-- end_sessions_of_user
update user_session
set ended_at = now()
where user_id = $1 and id is distinct from $2::uuid and ended_at is null
returning id;

-- end_oldest_sessions_of_user
update user_session
set ended_at = now()
where user_id = $1 and ended_at is null and id not in (
  select kept.id from user_session kept
  where kept.user_id = $1 and kept.ended_at is null and kept.expires_at > now()
  order by kept.id desc
  limit $2
)
returning id;

-- find_holder_of_live_session
select holder.id as "userId", holder.name, holder.role,
       (
         select coalesce(jsonb_object_agg(member.project_id, member.role), '{}')
         from project_member member
         where member.user_id = holder.id
       ) as memberships,
       (extract(epoch from session.expires_at - now()) * 1000)::double precision as "leftMs"
from user_session session
join hub_user holder on holder.id = session.user_id
where session.id = $1
  and session.ended_at is null
  and session.expires_at > now()
  and holder.disabled_at is null;

-- list_live_sessions_of_user
select id, created_at as "createdAt", refreshed_at as "refreshedAt", expires_at as "expiresAt"
from user_session
where user_id = $1 and ended_at is null and expires_at > now() and ($2::uuid is null or id < $2)
order by id desc
limit $3;

-- sweep_ended_sessions
delete from user_session
where id in (
  select id from user_session where expires_at < now() - interval '1 day' order by expires_at limit $1 for update skip locked
)
returning id;
