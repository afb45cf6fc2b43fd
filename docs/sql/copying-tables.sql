-- src/hub/copying/tables.ts

-- list_tables_to_copy
select class.relname as name,
       array(
         select attribute.attname::text
         from pg_index index
         cross join lateral unnest(index.indkey::int2[]) with ordinality as part (number, place)
         join pg_attribute attribute on attribute.attrelid = class.oid and attribute.attnum = part.number
         where index.indrelid = class.oid and index.indisprimary
         order by part.place
       ) as "key",
       array(
         select distinct needed.relname::text
         from pg_constraint fk
         join pg_class needed on needed.oid = fk.confrelid
         where fk.conrelid = class.oid and fk.contype = 'f' and needed.oid <> class.oid
       ) as "needs",
       exists (
         select from pg_attribute identity where identity.attrelid = class.oid and identity.attidentity <> ''
       ) as "hasIdentity",
       exists (
         select from pg_trigger trigger where trigger.tgrelid = class.oid and not trigger.tgisinternal
       ) as "hasTriggers"
from pg_class class
where class.relnamespace = current_schema()::regnamespace
  and class.relkind in ('r', 'p')
  and not class.relispartition
  and class.relname not in ('schema_migration', 'schema_migration_of_copy', 'copy_progress')
order by class.relname;
