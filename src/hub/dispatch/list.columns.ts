import { sought } from '../database/sought.js';
import { EXCEPTIONS } from './state.js';

/** Less than any id. */
export const FIRST_ID = '00000000-0000-0000-0000-000000000000';
/** Greater than any id. */
export const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Bytes of arguments and results after which a page ends early. */
export const PAGE_BYTES = 4 * 1024 * 1024;

/** SQL for how much of an answer a column of JSON is; it is put into words only where its size is not known without. */
function bytesOf(column: string): string {
  return `coalesce(case when pg_column_compression(${column}) is null then pg_column_size(${column})
                      else octet_length(${column}::text) end, 0)`;
}

/** The history's indexes by which lists go, each of a column and the id, and what must be said for a row to stand in it. */
export const LED_BY = {
  state: `dispatch.state in (${EXCEPTIONS.map((state) => `'${state}'`).join(', ')})`,
  agent_id: 'dispatch.agent_id is not null',
  broker_id: 'true',
  project_id: 'dispatch.project_id is not null',
} as const;

/**
 * SQL of the newest ended commands with a value in a column, older than `$1` and at most `$5`. It compares whole rows, in the
 * order of the one index that leads with that column: by the ids alone the server could find them too, newest first, among
 * all that ended in 30 days.
 */
export function newestWith(
  column: keyof typeof LED_BY,
  value: string,
  columns: string,
  filters: string,
): string {
  return `
        select ${columns}
        from broker_dispatch_history dispatch
        where ${LED_BY[column]} and dispatch.id < $1::uuid
          and (dispatch.${column}, dispatch.id) between (${value}, '${FIRST_ID}'::uuid) and (${value}, $1::uuid)
          and ${filters}
        order by dispatch.${column} desc, dispatch.id desc
        limit $5`;
}

/**
 * SQL of one page of records, newest first. A page ends with the record that brings what it holds of `json` columns to
 * PAGE_BYTES, so that no list is read into memory whole; of each record it is said whether the list goes on behind it.
 */
export function pageOf(records: string, json: readonly string[]): string {
  const bytes = json.map((column) => bytesOf(`record.${column}`)).join(' + ');
  return `
  select page.*, broker.name as "brokerName"
  from (
    select record.*, lead(record.id) over newest is not null as "isFollowed",
           sum(${bytes}) over (newest rows between unbounded preceding and 1 preceding) as "bytesBefore"
    from (${records}
    ) record
    window newest as (order by record.id desc)
  ) page
  left join broker on ${sought('broker.id', 'page."brokerId"')}
  where coalesce(page."bytesBefore", 0) < ${PAGE_BYTES}
  order by page.id desc`;
}
