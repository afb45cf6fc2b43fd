-- src/hub/database/catalogue.ts

-- see_which_database
select pg_postmaster_start_time()::text || ' ' || (
         select oid::text from pg_database where datname = current_database()
       ) as "which";

-- has_table
select to_regclass($1) is not null as "isThere";

-- list_applied_migrations
select name from schema_migration order by id;
