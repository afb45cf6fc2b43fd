import type { DataSource } from 'typeorm';

/** Columns that are written again and again in rows that stay, and by what. */
const HOT: { table: string; columns: readonly string[]; by: string }[] = [
  {
    table: 'broker_dispatch',
    columns: ['state', 'attempt', 'claimed_by', 'claim_epoch', 'claim_journal', 'claimed_at', 'trail'],
    by: 'every claim',
  },
  {
    table: 'broker_presence',
    columns: ['state', 'load', 'running', 'last_seen_at', 'changed_at', 'epoch'],
    by: 'a beat',
  },
];

const INDEXES = `
  select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
  from pg_index
  where indrelid = to_regclass($1)
  order by 1`;

/**
 * An index over such a column, be it as its key or in its predicate, would end heap-only updates: every one of them
 * would leave dead index entries behind, and a pinned snapshot would let them pile up.
 */
export async function hotIndexesIn(dataSource: DataSource): Promise<string[]> {
  const faults = await Promise.all(
    HOT.map(async ({ table, columns, by }) => {
      const rows: { name: string; definition: string }[] = await dataSource.query(INDEXES, [table]);
      return rows.flatMap(({ name, definition }) => {
        const [, described = ''] = / USING (.*)$/s.exec(definition) ?? [];
        const named = columns.filter((column) => new RegExp(`\\b${column}\\b`).test(described));
        return named.map((column) => `the index ${name} names ${column}, which ${by} writes`);
      });
    }),
  );
  return faults.flat();
}
