/**
 * Checks from the outside what the hub promises: that each accepted command had one ending by a legal path, was done
 * once, in the order of its key, and that clients were told the truth of it.
 *
 * It takes trails one by one in the order of their ids and keeps of each only what a later one is compared with: of an
 * ordering key what was out in the last hour, of each broker who claimed in it, of effects those that have not met their dispatch yet, and of answers all.
 * So any number of trails can be checked, and memory is bounded by how many are accepted in an hour and by the evidence that is given.
 *
 * It can prove that a rule was broken. That none was is proved for the dispatches that it was shown and no others: what
 * was never on record leaves traces only in the evidence from outside, effects and answers.
 */
import type { Answer } from './answer.js';
import { Answers } from './answers.js';
import { Effects, isEffectUnknown } from './effects.js';
import { idTimeMs } from '../dispatch/id-time.js';
import type { Facts } from './facts.js';
import { lifeOf } from './life.js';
import { Malformed } from './malformed.js';
import { Owners } from './owners.js';
import { checkTrail, isEnded } from './path.js';
import { Promises } from './promises.js';
import { Scope, type ScopeOptions } from './scope.js';
import { Turns } from './turns.js';
import { Violations, type Verdict } from './verdict.js';
import type { Witness } from './witness.js';

export type CheckerOptions = ScopeOptions & {
  /** Whether nothing may be left that has not ended. */
  isSettled?: boolean | undefined;
  /** Whether effects, and answers, will be given: without a word of any, none is then what was seen. */
  hasEffects?: boolean | undefined;
  hasAnswers?: boolean | undefined;
};

/** Cancels and housekeeping; they overtake what they are about. */
const OVERTAKES = 'control';

export class Checker {
  private readonly violations = new Violations();
  private readonly scope: Scope;
  private readonly owners = new Owners(this.violations.see);
  private readonly turns = new Turns(this.violations.see);
  private readonly promises = new Promises(this.violations.see);
  private readonly effects: Effects | undefined;
  private readonly answers: Answers | undefined;
  private readonly states: Record<string, number> = {};
  private last = '';
  private counts = { dispatches: 0, ended: 0, unknown: 0, lateResults: 0 };

  constructor(private readonly options: CheckerOptions = {}) {
    const { see } = this.violations;
    this.scope = new Scope(options);
    this.effects = options.hasEffects === true ? new Effects(see) : undefined;
    this.answers = options.hasAnswers === true ? new Answers(see) : undefined;
  }

  /** Before the first trail. */
  addEffect(witness: Witness): void {
    this.effects?.add(witness);
  }

  /** Before the first trail. */
  addAnswer(answer: Answer): void {
    this.answers?.add(answer);
  }

  /** @throws Malformed for one whose id is before that of the one before */
  take(facts: Facts): void {
    const { id, state } = facts;
    if (id < this.last)
      throw new Malformed(`the dispatch ${id} comes after ${this.last}: they must be in the order of ids`);
    if (!this.scope.holds(facts)) return;
    const { see } = this.violations;
    if (id === this.last) {
      see('one_ending', id, 'it comes twice');
      return;
    }
    this.last = id;
    this.count(facts);
    checkTrail(facts, see);
    if (this.options.isSettled === true && !isEnded(state)) see('settled', id, `it is ${state}`);
    this.effects?.take(facts);
    this.checkOrder(facts);
  }

  finish(): Verdict {
    this.effects?.finish(this.scope);
    this.answers?.finish(this.scope);
    const { count, byRule, shown } = this.violations;
    const { dispatches, ended } = this.counts;
    const { unjudged } = this.turns;
    return {
      clean: count === 0 && unjudged === 0,
      ...this.counts,
      live: dispatches - ended,
      states: this.states,
      effects: this.effects?.count ?? null,
      answers: this.answers?.count ?? null,
      unjudged,
      violationCount: count,
      byRule,
      violations: shown,
    };
  }

  private count(facts: Facts): void {
    const { state, trail } = facts;
    this.counts.dispatches += 1;
    this.states[state] = (this.states[state] ?? 0) + 1;
    if (isEnded(state)) this.counts.ended += 1;
    if (isEffectUnknown(facts)) this.counts.unknown += 1;
    this.counts.lateResults += trail.filter((step) => step.state === 'late_result').length;
  }

  private checkOrder(facts: Facts): void {
    const { id, brokerId, orderingKey, lane } = facts;
    this.owners.take(facts, idTimeMs(id) * 1000);
    const answered = this.answers?.take(facts);
    const life = lifeOf(facts);
    if (orderingKey === null || lane === OVERTAKES || life === undefined) return;
    const key = `${brokerId} ${orderingKey}`;
    this.turns.take(key, facts, life, idTimeMs(id) * 1000);
    if (answered !== undefined)
      this.promises.take(key, id, life, { ...answered, dueMs: answered.acceptedMs + restMsOf(facts) });
  }
}

/** For how long it was in nobody's way after it was stored, by one clock. */
function restMsOf({ createdUs, notBeforeUs }: Facts): number {
  return Math.max(0, (notBeforeUs ?? createdUs) - createdUs) / 1000;
}
