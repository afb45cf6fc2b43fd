import type { DataSource } from 'typeorm';
import { ENDED_STATES, LANES, LIVE_STATES } from '../../src/hub/dispatch/state.js';

/** The columns whose words are listed in the code, and the check that lists them again in the schema. */
const VOCABULARIES: [table: string, constraint: string, words: readonly string[]][] = [
  ['broker_dispatch', 'broker_dispatch_state_is_live', LIVE_STATES],
  ['broker_dispatch', 'broker_dispatch_lane_is_known', LANES],
  ['broker_dispatch_history', 'broker_dispatch_history_state_is_ended', ENDED_STATES],
];

const DEFINITION = `
  select pg_get_constraintdef(oid) as definition
  from pg_constraint
  where conrelid = to_regclass($1) and conname = $2 and contype = 'c'`;

/** A list of words typed in two places drifts apart; this says where it has. */
export async function vocabularyFaultsIn(dataSource: DataSource): Promise<string[]> {
  const faults: string[] = [];
  for (const [table, constraint, words] of VOCABULARIES) {
    const rows: { definition: string }[] = await dataSource.query(DEFINITION, [table, constraint]);
    const listed = [...(rows[0]?.definition ?? '').matchAll(/'([^']*)'/g)].map(([, word]) => word);
    const wanted = [...words].sort().join(', ');
    const found = listed.sort().join(', ');
    if (found !== wanted) faults.push(`${constraint} knows ${found || 'nothing'}; the code ${wanted}`);
  }
  return faults;
}
