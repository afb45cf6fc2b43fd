/**
 * What clients were told, against what is on record. Several answers may speak of one command: that it was accepted,
 * and later how it ended. They are put together by the dispatch's id, or by the key of the request where a client never
 * learned the id.
 */
import type { Answer } from './answer.js';
import { stateAfter } from '../dispatch/state.js';
import type { Facts, Step } from './facts.js';
import { isClaim, isEnded, isState, isSummarised } from './path.js';
import type { See } from './rule.js';
import type { Scope } from './scope.js';

/** All that was told of one command, and the keys of the requests that it was told to. */
type Told = {
  states: Set<string>;
  keys: string[];
  askedMs: number;
  acceptedMs: number;
  dispatchId: string | null;
};

const RUNNING = stateAfter('ack');
const DAY_US = 86_400_000_000;

export class Answers {
  private readonly byId = new Map<string, Told>();
  private readonly byKey = new Map<string, Told>();
  private readonly found = new Map<string, { id: string; createdUs: number }>();
  count = 0;

  constructor(private readonly see: See) {}

  add(answer: Answer): void {
    this.count += 1;
    const { dispatchId, idempotencyKey, state, askedMs, answeredMs, wasCut } = answer;
    if (state === 'unknown' && !wasCut) {
      const whose = idempotencyKey === null ? '' : ` of the request ${idempotencyKey}`;
      this.see('answer_known', dispatchId, `a client whose connection held was told nothing certain${whose}`);
    }
    const told = this.toldOf(dispatchId, idempotencyKey);
    told.states.add(state);
    told.askedMs = Math.min(told.askedMs, askedMs);
    if (isState(state)) told.acceptedMs = Math.min(told.acceptedMs, answeredMs);
  }

  /** @returns when it was asked for, and accepted for all that its client knows; undefined where nobody told */
  take(facts: Facts): { askedMs: number; acceptedMs: number } | undefined {
    const { id, idempotencyKey: key } = facts;
    const ofKey = key === null ? undefined : this.byKey.get(key);
    const told = this.byId.get(id) ?? (ofKey?.dispatchId == null ? ofKey : undefined);
    if (key !== null && ofKey !== undefined) this.countKey(facts, key);
    if (told === undefined) return undefined;
    told.dispatchId = id;
    this.byId.delete(id);
    for (const state of told.states) this.judge(facts, state, told);
    this.judgeKeys(facts, told);
    return told;
  }

  /** What is left was told of dispatches that are not on record. */
  finish(scope: Scope): void {
    const lost = (told: Told, id: string | null, whose: string) => {
      const states = [...told.states].filter(isState);
      if (states.length > 0) {
        this.see(
          'accepted_on_record',
          id,
          `a client was told ${states.join(', ')}${whose}, and nothing is on record`,
        );
      }
    };
    for (const [id, told] of this.byId) if (scope.mayHold(id, null)) lost(told, id, '');
    // Without an id nobody can tell whether it was among those that were looked at.
    if (!scope.isWhole) return;
    for (const [key, told] of this.byKey) {
      if (told.dispatchId === null) lost(told, null, ` of the request ${key}`);
    }
  }

  private judge(facts: Facts, told: string, { states }: Told): void {
    const { id, state, trail } = facts;
    if (told === 'unknown') return;
    if (told === 'refused') {
      // A refusal that was followed by a repeat says nothing of the repeat.
      if (states.size === 1)
        this.see('answer_true', id, `a client was told that it was refused, and it ${state}`);
    } else if (isEnded(told)) {
      if (told !== state) this.see('answer_true', id, `a client was told ${told}, and it is ${state}`);
    } else if (
      !isSummarised(facts) &&
      !trail.some((step) => step.state === told || mayHaveBeen(told, step))
    ) {
      this.see('answer_true', id, `a client was told ${told}, which it never was`);
    }
  }

  /** Who asks for one to be done again that somebody else has had done again is told of theirs, under a key of its own. */
  private judgeKeys({ id, idempotencyKey, redriveOf }: Facts, { keys }: Told): void {
    if (idempotencyKey === null || redriveOf !== null) return;
    const strange = keys.filter((key) => key !== idempotencyKey);
    if (strange.length > 0) {
      const whose = strange.join(', ');
      this.see('answer_true', id, `it is of the request ${idempotencyKey}, and was told to ${whose}`);
    }
  }

  /** Keys are forgotten a day after they were used; then another dispatch may have them. */
  private countKey({ id, createdUs }: Facts, key: string): void {
    const earlier = this.found.get(key);
    if (earlier !== undefined && Math.abs(createdUs - earlier.createdUs) < DAY_US) {
      this.see('one_dispatch_a_key', id, `the request ${key} made ${earlier.id} as well`);
    }
    this.found.set(key, { id, createdUs });
  }

  private toldOf(dispatchId: string | null, key: string | null): Told {
    const ofKey = key === null ? undefined : this.byKey.get(key);
    const ofId = dispatchId === null ? undefined : this.byId.get(dispatchId);
    if (
      dispatchId !== null &&
      ofKey !== undefined &&
      ofKey.dispatchId !== null &&
      ofKey.dispatchId !== dispatchId
    ) {
      this.see(
        'one_dispatch_a_key',
        dispatchId,
        `clients were told of ${ofKey.dispatchId} as well for ${key ?? ''}`,
      );
      return ofId ?? this.keep(none(), dispatchId, null);
    }
    return this.keep(merged(ofId, ofKey), dispatchId, key);
  }

  private keep(told: Told, dispatchId: string | null, key: string | null): Told {
    told.dispatchId ??= dispatchId;
    if (told.dispatchId !== null) this.byId.set(told.dispatchId, told);
    if (key !== null) {
      this.byKey.set(key, told);
      if (!told.keys.includes(key)) told.keys.push(key);
    }
    return told;
  }
}

/** An ack is not waited for to be on disk: of one that a crash of the database took with it the claim is left. */
function mayHaveBeen(told: string, step: Step): boolean {
  return told === RUNNING && isClaim(step);
}

function none(): Told {
  return { states: new Set(), keys: [], askedMs: Infinity, acceptedMs: Infinity, dispatchId: null };
}

function merged(one: Told | undefined, other: Told | undefined): Told {
  if (one === undefined || other === undefined || one === other) return one ?? other ?? none();
  for (const state of other.states) one.states.add(state);
  one.askedMs = Math.min(one.askedMs, other.askedMs);
  one.acceptedMs = Math.min(one.acceptedMs, other.acceptedMs);
  return one;
}
