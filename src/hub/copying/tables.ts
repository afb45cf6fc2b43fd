import type { Run } from '../database/database.js';
import { statement, type Statement } from '../database/statement.js';

const TABLES = statement(
  'list_tables_to_copy',
  `
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
  order by class.relname
  `,
);

export type Table = {
  name: string;
  key: string[];
  needs: string[];
  hasIdentity: boolean;
  hasTriggers: boolean;
};

/** Every table but those of migrations and copies, each behind those that its foreign keys need. */
export async function tablesOf(run: Run): Promise<Table[]> {
  const waiting = await run<Table>(TABLES);
  const sorted: Table[] = [];
  while (waiting.length > 0) {
    const at = waiting.findIndex(({ needs }) =>
      needs.every((name) => !waiting.some((table) => table.name === name)),
    );
    if (at < 0) throw new Error(`tables that need each other: ${waiting.map(({ name }) => name).join(', ')}`);
    sorted.push(...waiting.splice(at, 1));
  }
  return sorted;
}

/**
 * The next rows as the server writes a row: text that the same type reads again without loss, whatever stands in it.
 * Parameters: how many, then the key of the row before them. Names come from the catalogue, and are quoted.
 */
export function readBatch({ name, key }: Table, isFirst: boolean): Statement {
  const columns = key.map((column) => `source.${quoted(column)}`);
  const after = key.map((column) => `(select (r).${quoted(column)} from before)`).join(', ');
  const where = isFirst ? '' : `where (${columns.join(', ')}) > (${after})`;
  const before = isFirst ? '' : `with before as (select $2::text::${quoted(name)} as r)`;
  return {
    name: `copy_read_${isFirst ? 'first' : 'next'}_${name}`,
    text: `${before} select source::text as row from ${quoted(name)} source ${where}
           order by ${columns.join(', ')} limit $1`,
  };
}

/** Parameter: rows as `readBatch` gives them. */
export function writeBatch({ name, hasIdentity }: Table): Statement {
  const overriding = hasIdentity ? 'overriding system value' : '';
  return {
    name: `copy_write_${name}`,
    text: `insert into ${quoted(name)} ${overriding}
           select (copied.r).*
           from (select given.text::${quoted(name)} as r from unnest($1::text[]) as given (text) offset 0) copied`,
  };
}

/** How many rows there are, and a sum over what each of them holds, which no order changes. */
export function sumOf({ name }: Table): Statement {
  return {
    name: `copy_sum_${name}`,
    text: `select count(*)::text as count,
                  coalesce(sum(('x' || substr(md5(source::text), 1, 16))::bit(64)::bigint::numeric), 0)::text as hash
           from ${quoted(name)} source`,
  };
}

export function countOf({ name }: Table): Statement {
  return { name: `copy_count_${name}`, text: `select count(*)::integer as count from ${quoted(name)}` };
}

/** Keeps triggers of ours from acting on rows that were acted on at the source; not those of foreign keys. */
export function triggersOf({ name }: Table, are: 'enable' | 'disable'): Statement {
  return { name: `copy_${are}_${name}`, text: `alter table ${quoted(name)} ${are} trigger user` };
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
