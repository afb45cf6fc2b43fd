import { makeDataSource } from '../../src/hub/database/data-source.js';
import type { Statement } from '../../src/hub/database/statement.js';
import { planted, type Mutant } from './mutant.js';

/**
 * Mutants that the server does not even understand: whatever fails with them fails for the wrong reason. The table
 * itself must be sound.
 *
 * @param url an empty database
 */
export async function invalidMutants(
  url: string,
  mutants: readonly Mutant[],
  statements: ReadonlyMap<string, Statement>,
): Promise<string[]> {
  const source = await makeDataSource(url, 'fairlead-fences').initialize();
  const faults: string[] = [];
  try {
    await source.runMigrations({ transaction: 'each' });
    for (const mutant of mutants) {
      const text = planted(mutant, statements.get(mutant.statement)?.text ?? '');
      try {
        await source.query(`prepare mutant as ${text}`);
        await source.query('deallocate mutant');
      } catch (error) {
        faults.push(
          `${mutant.statement}, ${mutant.fault}: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    }
  } finally {
    await source.destroy();
  }
  return faults;
}
