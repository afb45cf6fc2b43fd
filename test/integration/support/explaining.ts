import type { Database, Run } from '../../../src/hub/database/database.js';

/**
 * A database that runs each statement, and gives no rows: it tells its plan, with what that came to.
 *
 * @param options of `explain analyze`, separated by commas
 */
export function explaining(database: Database, options: string, told: (plan: unknown[]) => void): Database {
  const explained =
    (run: Run): Run =>
    async ({ name, text }, values) => {
      const statement = { name: `explain_${name}`, text: `explain (analyze, ${options}) ${text}` };
      told((await run<{ 'QUERY PLAN': unknown }>(statement, values)).map((line) => line['QUERY PLAN']));
      return [];
    };
  return Object.create(database, {
    run: { value: explained(database.run) },
    runPlanned: { value: explained(database.runPlanned) },
  }) as Database;
}
