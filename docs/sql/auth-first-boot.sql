-- src/hub/auth/first-boot.ts

-- create_first_administrator
with administrator as (
  insert into hub_user (id, name, role)
  select $1, 'admin', 'admin'
  where not exists (select from hub_user)
  on conflict on constraint hub_user_name_is_unique do nothing
  returning id
)
insert into personal_token (id, user_id, name, prefix, hash)
select $2, administrator.id, 'first boot', $3, $4
from administrator
returning id;
