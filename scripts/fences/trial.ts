import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Statement } from '../../src/hub/database/statement.js';
import { planted, type Mutant } from './mutant.js';
import { Stage } from './stage.js';

/** What became of one mutant: it was caught where every file that must catch it did. */
export type Outcome = { mutant: Mutant; survived: string[]; caughtBy: string | undefined; seconds: number };

/** The tests have their PostgreSQL from their set-up, which is done once here for all runs. */
async function perform(hook: string): Promise<void> {
  const { default: act } = (await import(pathToFileURL(resolve(hook)).href)) as {
    default: () => Promise<void>;
  };
  await act();
}

/**
 * Tries mutants on as many stages at a time as there are to be, all on one PostgreSQL. The files must pass on the hub
 * as it is first, or their failures would mean nothing.
 *
 * @throws Error where they do not
 */
export async function tryMutants(
  mutants: readonly Mutant[],
  statements: ReadonlyMap<string, Statement>,
  { stages, told, signal }: { stages: number; told: (outcome: Outcome) => void; signal: AbortSignal },
): Promise<Outcome[]> {
  await perform('test/global-setup.mjs');
  const made = Array.from({ length: stages }, () => new Stage());
  try {
    const specs = [...new Set(mutants.flatMap(({ caughtBy }) => caughtBy))];
    const { failed } = (await made[0]?.run(specs, undefined, signal)) ?? {};
    if (failed !== undefined) throw new Error(`a test fails without any fault: ${failed}`);

    const outcomes = new Map<Mutant, Outcome>();
    const waiting = [...mutants];
    const failing = new AbortController();
    const stop = AbortSignal.any([signal, failing.signal]);
    const ends = await Promise.allSettled(
      made.map(async (stage) => {
        try {
          for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
            const outcome = await tryOne(stage, mutant, statements, stop);
            outcomes.set(mutant, outcome);
            told(outcome);
          }
        } catch (error) {
          failing.abort(error);
          throw error;
        }
      }),
    );
    // Of several failures the first has ended the others.
    if (failing.signal.aborted) throw failing.signal.reason;
    if (ends.some(({ status }) => status === 'rejected')) throw new Error('a stage failed');
    return mutants.flatMap((mutant) => outcomes.get(mutant) ?? []);
  } finally {
    await perform('test/global-teardown.mjs');
    for (const stage of made) stage.remove();
  }
}

async function tryOne(
  stage: Stage,
  mutant: Mutant,
  statements: ReadonlyMap<string, Statement>,
  signal: AbortSignal,
): Promise<Outcome> {
  const { statement } = mutant;
  const text = planted(mutant, statements.get(statement)?.text ?? '');
  const outcome: Outcome = { mutant, survived: [], caughtBy: undefined, seconds: 0 };
  for (const spec of mutant.caughtBy) {
    const { failed, seconds } = await stage.run([spec], { statement, text }, signal);
    outcome.seconds += seconds;
    if (failed === undefined) outcome.survived.push(spec);
    outcome.caughtBy ??= failed;
  }
  return outcome;
}
