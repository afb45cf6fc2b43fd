import type { DataSource } from 'typeorm';

type Leftover = { kind: string; name: string };

/** What stands in the schema beside the list of migrations: nothing, once every `down` has run. */
const LEFTOVERS = `
  with found as (
    select case relkind when 'i' then 'index' when 'S' then 'sequence' when 'v' then 'view' else 'table' end as kind,
           relname::text as name
    from pg_class
    where relnamespace = 'public'::regnamespace and relname !~ '^(schema_migration|PK_)'
    union all
    select 'function', proname::text from pg_proc where pronamespace = 'public'::regnamespace
    union all
    select 'type', typname::text
    from pg_type
    where typnamespace = 'public'::regnamespace and typtype in ('e', 'd')
  )
  select kind, name from found order by kind, name`;

/** @param dataSource on a database from which every migration was taken back */
export async function leftoversIn(dataSource: DataSource): Promise<string[]> {
  const rows: Leftover[] = await dataSource.query(LEFTOVERS);
  return rows.map(({ kind, name }) => `left behind when every migration was taken back: ${kind} ${name}`);
}
