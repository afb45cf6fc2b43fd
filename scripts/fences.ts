/**
 * `npm run test:fences`: takes each fence out of the hub's statements, one at a time, and demands that the tests notice.
 * A fence that no test misses is one that a change may lose.
 *
 *     node dist/scripts/fences.js                  exit code 1 where a mutant survives
 *     node dist/scripts/fences.js --check          only whether the mutants still fit the statements
 *     node dist/scripts/fences.js --only <text>    those alone whose statement or fault contains it
 */
import { parseArgs } from 'node:util';
import { isColoured, painter } from '../src/cli/output/colour.js';
import { table } from '../src/cli/output/table.js';
import { faultsOfTable } from './fences/faults.js';
import { MUTANTS } from './fences/mutants/all.js';
import { hubStatements } from './fences/statements.js';
import { tryMutants, type Outcome } from './fences/trial.js';
import { invalidMutants } from './fences/validity.js';
import { withScratchDatabase } from './scratch-server.js';

const STAGES = 2;

const { values } = parseArgs({
  options: { check: { type: 'boolean', default: false }, only: { type: 'string', default: '' } },
});
process.exitCode = await main(values.check, values.only);

async function main(checkOnly: boolean, only: string): Promise<number> {
  const statements = await hubStatements();
  const faults = faultsOfTable(MUTANTS, statements);
  if (faults.length === 0) {
    faults.push(...(await withScratchDatabase((url) => invalidMutants(url, MUTANTS, statements))));
  }
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  if (faults.length > 0) return 1;
  if (checkOnly) return 0;

  const mutants = MUTANTS.filter(({ statement, fault }) => `${statement} ${fault}`.includes(only));
  if (mutants.length === 0) {
    process.stderr.write(`no mutant is named by "${only}"\n`);
    return 2;
  }
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interruption.abort());
  const startedAt = performance.now();
  let done = 0;
  const told = ({ mutant, survived }: Outcome): void => {
    done += 1;
    const mark = survived.length === 0 ? 'ok  ' : 'FAIL';
    process.stdout.write(`${mark}  [${done}/${mutants.length}] ${mutant.statement} ${mutant.fault}\n`);
  };
  const outcomes = await tryMutants(mutants, statements, {
    stages: STAGES,
    told,
    signal: interruption.signal,
  });
  return sum(outcomes, (performance.now() - startedAt) / 1_000);
}

function sum(outcomes: readonly Outcome[], seconds: number): number {
  const lines = table(
    outcomes,
    [
      { title: 'statement', of: ({ mutant }) => mutant.statement },
      { title: 'fault', of: ({ mutant }) => mutant.fault },
      { title: 'test', of: ({ survived, caughtBy }) => (survived.length > 0 ? 'SURVIVED' : caughtBy) },
    ],
    painter(isColoured(process.stdout, process.env)),
  );
  const survivors = outcomes.filter(({ survived }) => survived.length > 0).length;
  process.stdout.write(
    `\n${lines.join('\n')}\n\n${outcomes.length - survivors} mutants caught, ${survivors} survived, in ${Math.round(seconds)} s\n`,
  );
  return survivors === 0 ? 0 : 1;
}
