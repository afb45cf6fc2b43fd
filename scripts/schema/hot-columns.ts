import type { DataSource } from 'typeorm';

/** Columns that every claim and ack writes. */
const HOT = ['state', 'attempt', 'claimed_by', 'claim_epoch', 'claim_journal', 'claimed_at', 'trail'];

const INDEXES = `
  select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
  from pg_index
  where indrelid = 'broker_dispatch'::regclass
  order by 1`;

/**
 * An index over a column that each claim and ack writes, be it as its key or in its predicate, would end heap-only
 * updates: every one of them would leave dead index entries behind, and a pinned snapshot would let them pile up.
 */
export async function hotIndexesIn(dataSource: DataSource): Promise<string[]> {
  const rows: { name: string; definition: string }[] = await dataSource.query(INDEXES);
  return rows.flatMap(({ name, definition }) => {
    const [, described = ''] = / USING (.*)$/s.exec(definition) ?? [];
    const named = HOT.filter((column) => new RegExp(`\\b${column}\\b`).test(described));
    return named.map((column) => `the index ${name} names ${column}, which every claim writes`);
  });
}
