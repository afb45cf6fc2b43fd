/**
 * The proof as a program uses it: where trails and evidence come from, and what they come to. The driver of the
 * database is loaded only where one is read.
 */
import { readAnswer } from '../proof/answer.js';
import { Checker } from '../proof/checker.js';
import { readFacts } from '../proof/facts.js';
import { faultsOf } from '../proof/fault.js';
import { Malformed } from '../proof/malformed.js';
import { RULES } from '../proof/rule.js';
import type { ScopeOptions } from '../proof/scope.js';
import type { Verdict } from '../proof/verdict.js';
import { readWitness } from '../proof/witness.js';
import { readItem, verifyAudit, type AuditFault, type AuditItem, type AuditVerdict } from './audit.js';
import { readLines } from './lines.js';
import { Unreachable } from './unreachable.js';

export type { AuditFault, AuditItem, AuditVerdict, Verdict, ScopeOptions };
export { faultsOf, Malformed, RULES, Unreachable, verifyAudit };

export type Evidence = ScopeOptions & {
  isSettled?: boolean | undefined;
  /** Files of effects, seen at brokers by something that is no part of the product. */
  witnesses?: readonly string[] | undefined;
  /** A file of what clients were told. */
  answers?: string | undefined;
  /** Called now and then with how many trails were read. */
  onProgress?: ((trails: number) => void) | undefined;
};

/** A dispatch as the API has it, and what to name where it cannot be read. */
export type Given = { value: unknown; where: string };

const TELL_EVERY = 1_000;

/**
 * Checks trails that come oldest first.
 *
 * @throws Malformed for trails or evidence that cannot be read
 */
export async function verify(trails: AsyncIterable<Given>, evidence: Evidence): Promise<Verdict> {
  const { witnesses = [], answers, onProgress, ...options } = evidence;
  const hasEffects = witnesses.length > 0;
  const checker = new Checker({ ...options, hasEffects, hasAnswers: answers !== undefined });
  for (const path of witnesses) {
    for await (const { value, where } of readLines(path)) checker.addEffect(readWitness(value, where));
  }
  if (answers !== undefined) {
    for await (const { value, where } of readLines(answers)) checker.addAnswer(readAnswer(value, where));
  }
  let count = 0;
  for await (const { value, where } of trails) {
    checker.take(readFacts(value, where));
    count += 1;
    if (count % TELL_EVERY === 0) onProgress?.(count);
  }
  return checker.finish();
}

/** Trails of a file that `fairlead trails export` made. */
export function trailsOfFile(path: string): AsyncIterable<Given> {
  return readLines(path);
}

/** Trails of a hub's database, without a hub. */
export async function* trailsOfDatabase(url: string, scope: ScopeOptions): AsyncGenerator<Given> {
  const { readTrails } = await import('./database.js');
  for await (const value of readTrails(url, scope)) yield { value, where: `the dispatch ${value.id}` };
}

/** The audit as a file has it that `fairlead audit export` made. @throws Malformed */
export async function* auditOfFile(path: string): AsyncGenerator<AuditItem> {
  for await (const { value, where } of readLines(path)) yield readItem(value, where);
}

/** The audit as the API gave it. @throws Malformed */
export async function* auditOfHub(items: AsyncIterable<{ id: string }>): AsyncGenerator<AuditItem> {
  for await (const value of items) yield readItem(value, `the row ${value.id}`);
}
