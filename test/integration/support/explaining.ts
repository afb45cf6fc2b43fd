import type { Database, Run } from '../../../src/hub/database/database.js';
import type { Statement } from '../../../src/hub/database/statement.js';

/**
 * A database that runs each statement, and gives none of its rows: it tells its plan, with what that came to.
 *
 * @param options of `explain analyze`, separated by commas
 * @param rows are given in their place
 */
export function explaining(
  database: Database,
  options: string,
  told: (plan: unknown[]) => void,
  rows: readonly unknown[] = [],
): Database {
  const explained =
    (run: Run): Run =>
    async <R>({ name, text }: Statement, values?: readonly unknown[]) => {
      const statement = { name: `explain_${name}`, text: `explain (analyze, ${options}) ${text}` };
      told((await run<{ 'QUERY PLAN': unknown }>(statement, values)).map((line) => line['QUERY PLAN']));
      return [...rows] as R[];
    };
  return Object.create(database, {
    run: { value: explained(database.run) },
    runPlanned: { value: explained(database.runPlanned) },
  }) as Database;
}

/**
 * A database that runs each statement as `explaining`, and tells how many pages that looked at: its own, whatever others are at meanwhile.
 */
export function countingPages(
  database: Database,
  told: (pages: number) => void,
  rows?: readonly unknown[],
): Database {
  return explaining(
    database,
    'buffers, format json',
    ([plans]) => {
      const [{ Plan } = { Plan: {} }] = plans as { Plan: Record<string, number> }[];
      told((Plan['Shared Hit Blocks'] ?? NaN) + (Plan['Shared Read Blocks'] ?? NaN));
    },
    rows,
  );
}
