/**
 * What a soak came to: the trails of the hub, what brokers wrote down past it, and what clients were told, held against
 * each other by the checker behind `fairlead verify`, and what that one does not look at: that effects of commands given in
 * turn stand in that order at their broker, and those of one key in the order in which the hub had them out; that each ended
 * as one must that nobody cancels and whose op never fails; that a hub never said of a right command what is not so, or not so yet, and not
 * long after its ending that it goes on, nor without a cause that nobody knows; that who waited for an ending learned it; that nothing is on record that no client asked for; and that each call that ended without an
 * answer was cut by something that is known.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { faultsOf } from '../../src/hub/proof/fault.js';
import { trailsOfFile, verify, type Verdict } from '../../src/hub/verify/main.js';
import { readLines, writeLines } from '../support/json-lines.js';
import { unfoundedDoubts } from './doubts.js';
import { EFFECT_OP } from './effect-op.js';
import { earlyOf, lateOf, metOf, passedOver, unservedOf, type GivenOf, type Met } from './endings.js';
import type { Answer, Call, Doubt, Effect, Given, Lost, Silence, Untrue } from './record.js';
import { silenced, type Silenced, type Ways } from './silences.js';
import { prematureOf, refusedOf, staleOf, untoldOf, type ByNote } from './told.js';
import type { TrailLine } from './trail-line.js';

export type Evidence = {
  /** Of each broker, in the order in which it wrote them down. */
  effects: readonly (readonly Effect[])[];
  answers: readonly Answer[];
  /** Commands that need not succeed. */
  given: readonly Given[];
  untrue: readonly Untrue[];
  losses: readonly Lost[];
  /** What became of each command at its client. */
  calls: readonly Call[];
  /** Calls without an answer, and what is known of their connections past those who made them. */
  silences: readonly Silence[];
  /** Answers that nobody knows. */
  doubts: readonly Doubt[];
  ways: Ways;
  /** Whether each client wrote down something of all that it asked for, and none was ended before that. */
  isWhole: boolean;
};

export type Judgement = {
  ok: boolean;
  accepted: number;
  ended: number;
  effects: number;
  lost: number;
  duplicated: number;
  reordered: number;
  /** Answers that were not so, not yet, or no longer, and those that nobody knows for which there was no cause. */
  untrue: number;
  /** Trails that no life of a command makes, or that no client asked for. */
  irregular: number;
  /** Endings that say that nobody knows. */
  unknown: number;
  /** Those of them at brokers that had lost nothing while the command was out. */
  unfounded: number;
  /** Endings that a command of its kind must not have: all but a success, or unknown, where it is not one of `--mix`. */
  unserved: number;
  /** Endings that a client waited for to the last, long after they were there, and was never told. */
  untold: number;
  /** Of those of `--mix` that are given to be given up, to expire or to be overtaken: how many could, and how many were. */
  mixed: Met;
  /** Calls without an answer, each by what cut it, and those of them that nothing explains. */
  silences: Silenced['causes'];
  unexplained: number;
  byRule: Verdict['byRule'];
  /** The first of what was found. */
  findings: string[];
};

const FINDINGS_MOST = 50;
/** Its old link may seem open, and take commands, until a broker that was started again has come to the hub. */
const LINKED_WITHIN_MS = 30_000;

/** @param folder where `trails.ndjson` is, and where the evidence is written for `fairlead verify` to read again */
export async function judge(
  folder: string,
  trails: readonly TrailLine[],
  evidence: Evidence,
): Promise<Judgement> {
  const byNote = new Map(trails.map((trail) => [trail.idempotencyKey, trail]));
  const effects = evidence.effects.flat();
  const witness = effects.map(({ note, brokerId, at }) => ({
    dispatchId: byNote.get(note)?.id ?? note,
    at,
    brokerId,
    op: EFFECT_OP,
  }));
  const verdict = await verify(trailsOfFile(join(folder, 'trails.ndjson')), {
    isSettled: true,
    witnesses: [writeLines(folder, 'effects.ndjson', witness)],
    answers: writeLines(folder, 'answers.ndjson', evidence.answers),
  });
  const swapped = evidence.effects.flatMap((each) => [...outOfTurn(each), ...outOfLine(each, byNote)]);
  const given = new Map(evidence.given.map((each) => [each.idempotencyKey, each]));
  const unfounded = trails.filter((trail) => isUnfounded(trail, evidence.losses, given));
  const unserved = [...unservedOf(trails, given), ...passedOver(trails, given)];
  const untimely = [...earlyOf(trails, given), ...lateOf(trails, given)];
  const denied = [
    ...staleOf(evidence.answers, byNote),
    ...prematureOf(evidence.answers, byNote),
    ...refusedOf(evidence.calls, byNote),
    ...unfoundedDoubts(evidence.doubts, evidence.ways),
  ];
  const untold = untoldOf(evidence.calls, byNote);
  const unasked = evidence.isWhole ? unaskedOf(trails, evidence.answers) : [];
  const { causes, unexplained } = silenced(evidence.silences, evidence.answers, evidence.ways);
  const { lost, duplicated, reordered, irregular } = faultsOf(verdict);
  const notSo = (verdict.byRule.answer_true ?? 0) + (verdict.byRule.answer_known ?? 0);
  const counts = {
    lost,
    duplicated,
    reordered: reordered + swapped.length,
    untrue: notSo + evidence.untrue.length + denied.length,
    irregular: irregular - notSo + verdict.unjudged + unasked.length + untimely.length,
    unfounded: unfounded.length,
    unserved: unserved.length,
    untold: untold.length,
    unexplained: unexplained.length,
  };
  const said = verdict.violations.map(({ rule, dispatchId, seen }) => `${rule} ${dispatchId ?? ''}: ${seen}`);
  const wrong = [...unfounded, ...unserved].map(
    ({ id, brokerId, state, ending }) => `${id} at broker ${brokerId} ended as ${state}, ${ending}`,
  );
  const told = evidence.untrue.map(({ at, status, body }) => `at ${at} a client was told ${status}: ${body}`);
  return {
    ok: Object.values(counts).every((count) => count === 0) && verdict.clean,
    accepted: verdict.dispatches,
    ended: verdict.ended,
    effects: effects.length,
    ...counts,
    unknown: verdict.unknown,
    mixed: metOf(trails, given),
    silences: causes,
    byRule: verdict.byRule,
    findings: [
      ...said,
      ...swapped,
      ...wrong,
      ...told,
      ...denied,
      ...untold,
      ...unasked,
      ...untimely,
      ...unexplained,
    ].slice(0, FINDINGS_MOST),
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

/**
 * Of one key one command is out at a time, so that the effects of its commands stand in the order in which they were out. One
 * that nobody knows the ending of may have been done at any time.
 */
function outOfLine(effects: readonly Effect[], byNote: ByNote): string[] {
  const latest = new Map<string, TrailLine>();
  const found: string[] = [];
  for (const { orderingKey, note, brokerId } of effects) {
    const trail = byNote.get(note);
    if (trail?.ending !== 'succeeded') continue;
    const before = latest.get(orderingKey);
    if (before !== undefined && before.outMs > trail.endedMs)
      found.push(
        `broker ${brokerId} did ${trail.id} of ${orderingKey} after ${before.id}, which went out later`,
      );
    if (before === undefined || before.outMs < trail.outMs) latest.set(orderingKey, trail);
  }
  return found;
}

/** Each client writes down something of each command that it gave. */
function unaskedOf(trails: readonly TrailLine[], answers: readonly Answer[]): string[] {
  const asked = new Set(answers.map(({ idempotencyKey }) => idempotencyKey));
  return trails
    .filter(({ idempotencyKey }) => idempotencyKey === null || !asked.has(idempotencyKey))
    .map(({ id }) => `${id} is on record, and no client asked for it`);
}

/** Nobody knows only of what a broker had been given when it lost what it knew, or that was with it when its deadline passed. */
function isUnfounded(
  { idempotencyKey, ending, state, brokerId, lastOutMs, endedMs }: TrailLine,
  losses: readonly Lost[],
  given: GivenOf,
): boolean {
  if (ending !== 'unknown') return false;
  if (state === 'expired' && given.get(idempotencyKey)?.kind === 'expiring') return lastOutMs === Infinity;
  const mayBe = ({ brokerId: of, at, until }: Lost) =>
    of === brokerId && Date.parse(until) > lastOutMs - LINKED_WITHIN_MS && Date.parse(at) < endedMs;
  return !losses.some(mayBe);
}

/** What whoever struck knows of losses of brokers, of the ways of clients, and of clients themselves. */
type Known = Pick<Evidence, 'losses' | 'ways' | 'isWhole'>;

/** What brokers and clients wrote down in a folder. */
export function evidenceOf(folder: string, { losses, ways, isWhole }: Known): Evidence {
  const files = readdirSync(folder).sort();
  const notes = <T>(ending: string) =>
    files.filter((name) => name.endsWith(ending)).map((name) => readLines<T>(join(folder, name)));
  // In the order of its lives, of each of which it has a file.
  const byBroker = new Map<string, Effect[]>();
  for (const name of files.filter((each) => each.endsWith('.effects'))) {
    const [broker = ''] = name.split('.');
    byBroker.set(broker, [...(byBroker.get(broker) ?? []), ...readLines<Effect>(join(folder, name))]);
  }
  return {
    effects: [...byBroker.values()],
    answers: notes<Answer>('.answers').flat(),
    given: notes<Given>('.given').flat(),
    untrue: notes<Untrue>('.untrue').flat(),
    losses,
    silences: notes<Silence>('.silences').flat(),
    doubts: notes<Doubt>('.doubts').flat(),
    ways,
    isWhole,
    calls: notes<Call>('.calls').flat(),
  };
}
