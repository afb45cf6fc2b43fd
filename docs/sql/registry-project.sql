-- src/hub/registry/project.repository.ts

-- create_project
insert into project (id, name, min_broker_major, min_broker_minor, max_pending, created_by)
values ($1, $2, $3, $4, $5, $6)
returning
       id, name,
       case when min_broker_major is not null
         then json_build_object('major', min_broker_major, 'minor', min_broker_minor) end as floor,
       max_pending as "maxPending", revision, created_by as "createdBy", created_at as "createdAt",
       updated_at as "updatedAt", archived_at as "archivedAt";

-- list_projects
select
       id, name,
       case when min_broker_major is not null
         then json_build_object('major', min_broker_major, 'minor', min_broker_minor) end as floor,
       max_pending as "maxPending", revision, created_by as "createdBy", created_at as "createdAt",
       updated_at as "updatedAt", archived_at as "archivedAt"
from project
where ($1::uuid is null or id < $1) and ($3::boolean or archived_at is null) and ($4::uuid[] is null or id = any ($4))
order by id desc
limit $2;

-- get_project
select
         id, name,
         case when min_broker_major is not null
           then json_build_object('major', min_broker_major, 'minor', min_broker_minor) end as floor,
         max_pending as "maxPending", revision, created_by as "createdBy", created_at as "createdAt",
         updated_at as "updatedAt", archived_at as "archivedAt" from project where id = $1;

-- hold_project
select archived_at as "archivedAt" from project where id = $1 for share;

-- find_project_by_name
select id from project where name = $1;

-- see_project
select id from project where id = $1 and ($2::uuid[] is null or id = any ($2));

-- see_project_by_name
select id from project where name = $1 and ($2::uuid[] is null or id = any ($2));

-- update_project
update project
set min_broker_major = case when $3::boolean then $4::integer else min_broker_major end,
    min_broker_minor = case when $3::boolean then $5::integer else min_broker_minor end,
    max_pending = coalesce($6::integer, max_pending),
    revision = revision + 1,
    updated_at = now()
where id = $1
  and archived_at is null
  and ($2::integer is null or revision = $2)
  and (
    not $3::boolean
    or min_broker_major is null
    or ($4::integer, $5::integer) >= (min_broker_major, min_broker_minor)
  )
returning
       id, name,
       case when min_broker_major is not null
         then json_build_object('major', min_broker_major, 'minor', min_broker_minor) end as floor,
       max_pending as "maxPending", revision, created_by as "createdBy", created_at as "createdAt",
       updated_at as "updatedAt", archived_at as "archivedAt";

-- detach_brokers_of_project
with detached as (
  update broker_attachment
  set state = 'offline', detached_at = now(), changed_at = now()
  where project_id = $1 and detached_at is null
  returning broker_id
)
select detached.broker_id as "brokerId", connection.replica_id as owner
from detached
left join broker_connection connection on connection.broker_id = detached.broker_id;

-- archive_project
update project
set archived_at = now(), revision = revision + 1, updated_at = now()
where id = $1 and archived_at is null
returning id;
