import type { DataSource } from 'typeorm';

/** Everything that a migration can make, a line each; the list of migrations itself left out. */
const INVENTORY = `
  with ours as (
    select oid, relname, relkind
    from pg_class
    where relnamespace = 'public'::regnamespace and relname !~ '^(schema_migration|PK_)'
  ),
  line as (
    select case relkind when 'i' then 'index' when 'I' then 'index' when 'S' then 'sequence' when 'v' then 'view'
                        when 'm' then 'view' when 'c' then 'type' else 'table' end || ' ' || relname
           || coalesce(': ' || case when relkind in ('i', 'I') then pg_get_indexdef(oid) end, '') as text
    from ours
    union all
    select 'column ' || ours.relname || '.' || attname || ': ' || format_type(atttypid, atttypmod)
           || case when attnotnull then ' not null' else '' end
           || coalesce(' default ' || pg_get_expr(adbin, adrelid), '')
    from pg_attribute
    join ours on ours.oid = attrelid
    left join pg_attrdef on adrelid = attrelid and adnum = attnum
    where attnum > 0 and not attisdropped and relkind in ('r', 'p', 'c')
    union all
    select 'constraint ' || conname || ': ' || pg_get_constraintdef(pg_constraint.oid)
    from pg_constraint
    join ours on ours.oid = conrelid
    union all
    select 'trigger ' || pg_get_triggerdef(pg_trigger.oid)
    from pg_trigger
    join ours on ours.oid = tgrelid
    where not tgisinternal
    union all
    select 'function ' || proname || ': ' || pg_get_functiondef(oid)
    from pg_proc
    where pronamespace = 'public'::regnamespace and prokind in ('f', 'p')
    union all
    select 'type ' || typname
    from pg_type
    where typnamespace = 'public'::regnamespace and typtype in ('e', 'd', 'r')
    union all
    select 'extension ' || extname from pg_extension where extname <> 'plpgsql'
    union all
    select 'schema ' || nspname from pg_namespace where nspname !~ '^(pg_.*|public|information_schema)$'
  )
  select text from line order by text collate "C"`;

/** What stands in the database, in an order that does not depend on how it came there. */
export async function inventoryOf(dataSource: DataSource): Promise<string[]> {
  const rows: { text: string }[] = await dataSource.query(INVENTORY);
  return rows.map(({ text }) => text);
}

/** One line for each thing that stands there and should not, and for each that should and does not. */
export function differencesBetween(wanted: readonly string[], found: readonly string[]): string[] {
  return [
    ...found.filter((text) => !wanted.includes(text)).map((text) => `leaves ${text}`),
    ...wanted.filter((text) => !found.includes(text)).map((text) => `loses ${text}`),
  ];
}
