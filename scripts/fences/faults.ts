import { existsSync } from 'node:fs';
import type { Statement } from '../../src/hub/database/statement.js';
import { planted, MutantDoesNotFit, type Mutant } from './mutant.js';

/** What a change must be fenced by: who holds the row, how far it is, and until when. */
const FENCED =
  /\b(state|phase|epoch|attempt|replica_id|run_id|claim_epoch|claim_journal|link_epoch|taken|deadline_at|expires_at|revoked_at|retired_at|released_at|last_seen_at)\b\s*(=|<>|<=?|>=?|is|in)\s/;
const CHANGES = /\b(insert into|update \w+|delete from)\b/;
const GIVES_WAY = /\bon conflict\b/;
/** What makes one of two wait for the other, or pass over what the other holds: a fence of its own wherever it stands. */
const LOCKS = /\b(for (no key )?update|for (key )?share|skip locked|pg_(try_)?advisory\w+)\b/g;
/** Of what stands before a lock, as much as shows which one it is. */
const TOLD_WORDS = 6;

/** Whether a statement changes or holds rows under conditions that are fences, or in turn with others. */
export function isFenced({ text }: Statement): boolean {
  return text.search(LOCKS) >= 0 || GIVES_WAY.test(text) || (CHANGES.test(text) && FENCED.test(text));
}

/**
 * What is wrong with the table of mutants itself: text that does not stand in its statement any more, specs that are
 * not there, statements with fences that no mutant is made of, and locks that none of a statement's mutants touches.
 */
export function faultsOfTable(
  mutants: readonly Mutant[],
  statements: ReadonlyMap<string, Statement>,
  isThere: (path: string) => boolean = existsSync,
): string[] {
  const faults = mutants.flatMap((mutant) => faultsOf(mutant, statements.get(mutant.statement), isThere));
  // Only of one that fits can be told what it touches.
  if (faults.length > 0) return faults;
  for (const statement of statements.values()) {
    const tried = mutants.filter((mutant) => mutant.statement === statement.name);
    if (tried.length > 0) faults.push(...untouchedLocks(statement, tried));
    else if (isFenced(statement))
      faults.push(`${statement.name}: it has fences, and no mutant is made of it`);
  }
  return faults;
}

function untouchedLocks({ name, text }: Statement, mutants: readonly Mutant[]): string[] {
  const line = inOneLine(text);
  const changes = mutants.map((mutant) => changedPart(line, inOneLine(planted(mutant, text))));
  return [...line.matchAll(LOCKS)].flatMap(({ 0: lock, index }) => {
    if (changes.some(({ from, to }) => from < index + lock.length && to > index)) return [];
    const before = line.slice(0, index).trim().split(' ').slice(-TOLD_WORDS);
    return [`${name}: no mutant touches "${lock}" after "${before.join(' ')}"`];
  });
}

/** Where a text differs from another: what a mutant's text has only so that it is found once is no part of it. */
function changedPart(text: string, other: string): { from: number; to: number } {
  const shorter = Math.min(text.length, other.length);
  let from = 0;
  while (from < shorter && text[from] === other[from]) from += 1;
  let after = 0;
  while (after < shorter - from && text.at(-1 - after) === other.at(-1 - after)) after += 1;
  return { from, to: text.length - after };
}

function inOneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
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
