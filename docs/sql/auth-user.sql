-- src/hub/auth/user.repository.ts

-- create_user
insert into hub_user (id, name, email, role)
values ($1, $2, lower($3), $4)
returning id, name, email, role, created_at as "createdAt", changed_at as "changedAt", disabled_at as "disabledAt";

-- list_users
select id, name, email, role, created_at as "createdAt", changed_at as "changedAt", disabled_at as "disabledAt"
from hub_user
where ($1::uuid is null or id < $1)
  and ($3::text is null or role = $3)
  and ($4::boolean or disabled_at is null)
order by id desc
limit $2;

-- get_user
select id, name, email, role, created_at as "createdAt", changed_at as "changedAt", disabled_at as "disabledAt" from hub_user where id = $1;

-- find_user_by_name
select id from hub_user where name = $1;

-- hold_active_administrators
select id from hub_user where role = 'admin' and disabled_at is null order by id for update;

-- update_user
update hub_user
set role = coalesce($2, role),
    email = case when $3::boolean then lower($4) else email end,
    changed_at = now()
where id = $1
returning id, name, email, role, created_at as "createdAt", changed_at as "changedAt", disabled_at as "disabledAt";

-- disable_user
update hub_user
set disabled_at = now(), changed_at = now()
where id = $1 and disabled_at is null
returning id;

-- enable_user
update hub_user
set disabled_at = null, changed_at = now()
where id = $1 and disabled_at is not null
returning id;
