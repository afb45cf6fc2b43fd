import { existsSync } from 'node:fs';
import type { Statement } from '../../src/hub/database/statement.js';
import { planted, MutantDoesNotFit, type Mutant } from './mutant.js';

/** What a change must be fenced by: who holds the row, how far it is, and until when. */
const FENCED =
  /\b(state|phase|epoch|attempt|replica_id|run_id|claim_epoch|claim_journal|link_epoch|taken|deadline_at|expires_at|revoked_at|retired_at|released_at|last_seen_at)\b\s*(=|<>|<=?|>=?|is|in)\s/;
const CHANGES = /\b(insert into|update \w+|delete from)\b/;
/** What makes one of two wait for, or give way to the other. */
const TURNS = /\b(for (no key )?update|for (key )?share|on conflict|pg_advisory\w+)\b/;

/** Whether a statement changes or holds rows under conditions that are fences, or in turn with others. */
export function isFenced({ text }: Statement): boolean {
  return TURNS.test(text) || (CHANGES.test(text) && FENCED.test(text));
}

/**
 * What is wrong with the table of mutants itself: text that does not stand in its statement any more, specs that are
 * not there, and statements with fences that no mutant is made of.
 */
export function faultsOfTable(
  mutants: readonly Mutant[],
  statements: ReadonlyMap<string, Statement>,
  isThere: (path: string) => boolean = existsSync,
): string[] {
  const faults = mutants.flatMap((mutant) => faultsOf(mutant, statements.get(mutant.statement), isThere));
  const tried = new Set(mutants.map(({ statement }) => statement));
  for (const statement of statements.values()) {
    if (isFenced(statement) && !tried.has(statement.name)) {
      faults.push(`${statement.name}: it has fences, and no mutant is made of it`);
    }
  }
  return faults;
}

function faultsOf(
  mutant: Mutant,
  statement: Statement | undefined,
  isThere: (path: string) => boolean,
): string[] {
  if (statement === undefined) return [`${mutant.statement}, ${mutant.fault}: there is no such statement`];
  const faults = mutant.caughtBy
    .filter((path) => !isThere(path))
    .map((path) => `${mutant.statement}, ${mutant.fault}: there is no ${path}`);
  if (mutant.caughtBy.length === 0)
    faults.push(`${mutant.statement}, ${mutant.fault}: nothing is to catch it`);
  try {
    if (planted(mutant, statement.text) === statement.text) {
      faults.push(`${mutant.statement}, ${mutant.fault}: it changes nothing`);
    }
  } catch (error) {
    if (!(error instanceof MutantDoesNotFit)) throw error;
    faults.push(error.message);
  }
  return faults;
}
