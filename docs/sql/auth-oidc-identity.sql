-- src/hub/auth/oidc/identity.repository.ts

-- find_user_by_identity
select person.id as "userId", person.name, person.disabled_at is null as "isLetIn"
from user_identity identity
join hub_user person on person.id = identity.user_id
where identity.issuer = $1 and identity.subject = $2;

-- find_user_by_email
select id as "userId", name, disabled_at is null as "isLetIn"
from hub_user
where email = lower($1);

-- link_user_identity
insert into user_identity (issuer, subject, user_id)
values ($1, $2, $3)
on conflict do nothing
returning user_id;

-- create_user_of_identity
insert into hub_user (id, name, email, role)
values ($1, $2, lower($3), 'member')
on conflict do nothing
returning id;
