-- src/hub/auth/member.repository.ts

-- hold_person_of_membership
select id from hub_user where id = $1 and disabled_at is null for no key update;

-- hold_project_of_membership
select archived_at is not null as "isArchived" from project where id = $1 for no key update;

-- count_memberships
select (select count(*) from project_member where user_id = $2 and project_id <> $1) as projects,
       (select count(*) from project_member where project_id = $1 and user_id <> $2) as members;

-- set_project_member
insert into project_member as held (project_id, user_id, role, added_by)
values ($1, $2, $3, $4)
on conflict on constraint project_member_is_one_a_project do update
set role = excluded.role, changed_at = now()
where held.role <> excluded.role
returning user_id;

-- remove_project_member
delete from project_member where project_id = $1 and user_id = $2 returning user_id;

-- get_project_member
select person.id, person.name, person.email, member.role, member.created_at as "createdAt",
       member.changed_at as "changedAt", person.disabled_at as "disabledAt"
from project_member member
join hub_user person on person.id = member.user_id
where member.project_id = $1 and member.user_id = $2;

-- list_project_members
select person.id, person.name, person.email, member.role, member.created_at as "createdAt",
       member.changed_at as "changedAt", person.disabled_at as "disabledAt"
from project_member member
join hub_user person on person.id = member.user_id
where member.project_id = $1 and ($2::uuid is null or member.user_id < $2)
order by member.user_id desc
limit $3;
