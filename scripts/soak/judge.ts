/**
 * What a soak came to: the trails of the hub, what brokers wrote down past it, and what clients were told, held against
 * each other by the checker behind `fairlead verify`, and what that one does not look at: that effects of commands given in
 * turn stand in that order at their broker, and that a hub never said of a right command what is not so.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { faultsOf } from '../../src/hub/proof/fault.js';
import { trailsOfFile, verify, type Verdict } from '../../src/hub/verify/main.js';
import { readLines, writeLines } from '../support/json-lines.js';
import { EFFECT_OP } from './effect-op.js';
import type { Answer, Call, Effect, Untrue } from './record.js';

/** A trail as far as it is looked at here. */
export type TrailLine = { id: string; idempotencyKey: string | null };

export type Evidence = {
  /** Of each broker, in the order in which it wrote them down. */
  effects: readonly (readonly Effect[])[];
  answers: readonly Answer[];
  untrue: readonly Untrue[];
};

export type Judgement = {
  ok: boolean;
  accepted: number;
  ended: number;
  effects: number;
  lost: number;
  duplicated: number;
  reordered: number;
  /** Answers that were not so, and those that left a client without one though its connection held. */
  untrue: number;
  /** Trails that no life of a command makes. */
  irregular: number;
  /** Endings that say that nobody knows. */
  unknown: number;
  byRule: Verdict['byRule'];
  /** The first of what was found. */
  findings: string[];
};

const FINDINGS_MOST = 50;

/** @param folder where `trails.ndjson` is, and where the evidence is written for `fairlead verify` to read again */
export async function judge(
  folder: string,
  trails: readonly TrailLine[],
  evidence: Evidence,
): Promise<Judgement> {
  const idOfNote = new Map(trails.map(({ idempotencyKey, id }) => [idempotencyKey, id]));
  const effects = evidence.effects.flat();
  const witness = effects.map(({ note, brokerId, at }) => ({
    dispatchId: idOfNote.get(note) ?? note,
    at,
    brokerId,
    op: EFFECT_OP,
  }));
  const verdict = await verify(trailsOfFile(join(folder, 'trails.ndjson')), {
    isSettled: true,
    witnesses: [writeLines(folder, 'effects.ndjson', witness)],
    answers: writeLines(folder, 'answers.ndjson', evidence.answers),
  });
  const swapped = evidence.effects.flatMap(outOfTurn);
  const { lost, duplicated, reordered, irregular } = faultsOf(verdict);
  const untold = (verdict.byRule.answer_true ?? 0) + (verdict.byRule.answer_known ?? 0);
  const counts = {
    lost,
    duplicated,
    reordered: reordered + swapped.length,
    untrue: untold + evidence.untrue.length,
    irregular: irregular - untold + verdict.unjudged,
  };
  const said = verdict.violations.map(({ rule, dispatchId, seen }) => `${rule} ${dispatchId ?? ''}: ${seen}`);
  const told = evidence.untrue.map(({ at, status, body }) => `at ${at} a client was told ${status}: ${body}`);
  return {
    ok: Object.values(counts).every((count) => count === 0) && verdict.clean,
    accepted: verdict.dispatches,
    ended: verdict.ended,
    effects: effects.length,
    ...counts,
    unknown: verdict.unknown,
    byRule: verdict.byRule,
    findings: [...said, ...swapped, ...told].slice(0, FINDINGS_MOST),
  };
}

/** Commands given in turn have effects in that turn; one that has none, or whose repeat stands beside it, is no matter here. */
function outOfTurn(effects: readonly Effect[]): string[] {
  const latest = new Map<string, number>();
  const found: string[] = [];
  for (const { orderingKey, turn, note, brokerId } of effects) {
    if (turn === null) continue;
    const before = latest.get(orderingKey) ?? 0;
    if (turn < before)
      found.push(`broker ${brokerId} did ${note}, turn ${turn} of ${orderingKey}, after turn ${before}`);
    latest.set(orderingKey, Math.max(before, turn));
  }
  return found;
}

/** What brokers and clients wrote down in a folder. */
export function evidenceOf(folder: string): Evidence & { calls: Call[] } {
  const files = readdirSync(folder).sort();
  const notes = <T>(ending: string) =>
    files.filter((name) => name.endsWith(ending)).map((name) => readLines<T>(join(folder, name)));
  return {
    effects: notes<Effect>('.effects'),
    answers: notes<Answer>('.answers').flat(),
    untrue: notes<Untrue>('.untrue').flat(),
    calls: notes<Call>('.calls').flat(),
  };
}
