import type pg from 'pg';
import type { Step } from './trail-law.js';

/** The row of a command, live or in the history. */
export type Row = {
  id: string;
  is_live: boolean;
  state: string;
  attempt: number;
  result: unknown;
  error: unknown;
  trail: Step[];
};

const ROWS = `
  select id, true as is_live, state, attempt, null::jsonb as result, null::jsonb as error, to_jsonb(trail::jsonb[]) as trail
  from broker_dispatch where agent_id = $1 and op = $2
  union all
  select id, false, state, attempt, result, error, to_jsonb(trail::jsonb[])
  from broker_dispatch_history where agent_id = $1 and op = $2`;

/** Every row there is of one op of an agent: a command that was accepted twice has two. */
export async function rowsOf(database: pg.Pool, agentId: string, op: string): Promise<Row[]> {
  return (await database.query<Row>(ROWS, [agentId, op])).rows;
}
