/**
 * What was done at the brokers, against what the hub says of it. What succeeded was done, once. What ended as unknown,
 * or has not ended, may have been done, once. Nothing else was done.
 *
 * An op that may be repeated may be done once more for each time that its record was lost on the way; its trail says
 * how often that was.
 */
import { isOp, contractOf } from '../../protocol/op.js';
import { stateAfter } from '../dispatch/state.js';
import type { Facts } from './facts.js';
import { timeOf } from './instant.js';
import { isEnded, isSummarised } from './path.js';
import type { See } from './rule.js';
import type { Scope } from './scope.js';
import type { Witness } from './witness.js';

const SUCCEEDED = stateAfter('succeed');
/** The reason of the step that puts a dispatch back whose record the broker lost. */
const LOST = 'begun_and_lost';
/** What it came to was too much to be told. */
const TOO_LARGE = 'result_too_large';

type Done = { times: number; first: Witness; other: Witness | undefined };

/** Whether the ending says that nobody knows if it was done. */
export function isEffectUnknown({ state, errorCode, errorEffect }: Facts): boolean {
  return isEnded(state) && (errorCode === 'outcome_unknown' || errorEffect === 'unknown');
}

export class Effects {
  private readonly done = new Map<string, Done>();
  count = 0;

  constructor(private readonly see: See) {}

  add(witness: Witness): void {
    this.count += 1;
    const done = this.done.get(witness.dispatchId);
    if (done === undefined) this.done.set(witness.dispatchId, { times: 1, first: witness, other: undefined });
    else {
      done.times += 1;
      // One that differs is worth keeping: a second effect at the same broker is told by its number.
      const { first } = done;
      if (witness.brokerId !== first.brokerId || witness.op !== first.op) done.other = witness;
    }
  }

  take(facts: Facts): void {
    const { id, state } = facts;
    const done = this.done.get(id);
    this.done.delete(id);
    const { least, most } = boundsOf(facts);
    const times = done?.times ?? 0;
    if (times < least) this.see('effect_missing', id, `it ${state}, and no effect of it was seen`);
    if (done === undefined) return;
    if (most === 0)
      this.see('effect_accounted', id, `${state}${because(facts)}, and done at ${at(done.first)}`);
    else if (times > most) this.see('effect_once', id, `done ${times} times, ${most} at most were due`);
    for (const witness of [done.first, done.other]) {
      if (witness !== undefined) this.compare(facts, witness);
    }
  }

  /** What is left was done, and is on record nowhere. */
  finish(scope: Scope): void {
    for (const [id, { first }] of this.done) {
      if (scope.mayHold(id, first.brokerId))
        this.see('effect_accounted', id, `done at ${at(first)}, and not on record`);
    }
  }

  private compare({ id, brokerId, op }: Facts, witness: Witness): void {
    if (witness.brokerId !== null && witness.brokerId !== brokerId) {
      this.see('effect_accounted', id, `done at broker ${witness.brokerId}, and meant for ${brokerId}`);
    }
    if (witness.op !== null && witness.op !== op) {
      this.see('effect_accounted', id, `done as ${witness.op}, and asked for as ${op}`);
    }
  }
}

function boundsOf(facts: Facts): { least: number; most: number } {
  const { state, op, attempt, errorCode, errorEffect, trail } = facts;
  const lost = trail.filter(({ reason }) => reason === LOST).length;
  const isRepeatable = isOp(op) && contractOf(op).repeatable;
  // A summary may hide any number of losses.
  const again = !isRepeatable ? 0 : lost > 0 && isSummarised(facts) ? Infinity : lost;
  if (state === SUCCEEDED) return { least: 1, most: 1 + again };
  const mayBeDone = isEnded(state) ? isEffectUnknown(facts) || errorCode === TOO_LARGE : attempt > 0;
  if (mayBeDone) return { least: 0, most: 1 + again };
  return { least: 0, most: errorEffect === 'none' ? 0 : again };
}

function because({ errorCode }: Facts): string {
  return errorCode === null ? '' : ` (${errorCode})`;
}

function at({ atUs, brokerId }: Witness): string {
  return brokerId === null ? timeOf(atUs) : `${timeOf(atUs)} by broker ${brokerId}`;
}
