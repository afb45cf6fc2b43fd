/**
 * What must hold of one trail for itself. What may follow what is asked of the transition function that the hub runs
 * on, so that a state or a happening that is added there is known here.
 *
 * A long trail keeps its first and last steps, and one in the place of those between. Nothing is said of what that one
 * hides: the step after it may be any, as long as times, epochs and attempts do not go back.
 */
import { NOTES, RESENT } from '../dispatch/record.js';
import {
  ENDED_STATES,
  HAPPENINGS,
  hasEnded,
  LIVE_STATES,
  stateAfter,
  transition,
  type DispatchState,
} from '../dispatch/state.js';
import type { Facts, Step } from './facts.js';
import { timeOf } from './instant.js';
import type { See } from './rule.js';

const FIRST: DispatchState = 'pending';
const CLAIMED = stateAfter('claim');
const FAILED = stateAfter('lapse');
const LAPSED = 'broker_offline';
const STATES: readonly DispatchState[] = [...LIVE_STATES, ...ENDED_STATES];
const NEXT = new Map(
  STATES.map((state) => [state, new Set(HAPPENINGS.map((happening) => transition(state, happening)))]),
);

export function isState(word: string): word is DispatchState {
  return NEXT.has(word as DispatchState);
}

export const isEnded = (word: string): boolean => isState(word) && hasEnded(word);
export const isClaim = ({ state, reason }: Step): boolean => state === CLAIMED && reason !== RESENT;
export const isSummary = ({ state }: Step): boolean => state === 'summarised';
export const isSummarised = ({ trail }: Facts): boolean => trail.some(isSummary);

const isNote = (word: string): boolean => (NOTES as readonly string[]).includes(word);

export function checkTrail(facts: Facts, see: See): void {
  checkPath(facts, see);
  checkEnding(facts, see);
  checkTimes(facts, see);
  checkEpochs(facts, see);
  checkAttempts(facts, see);
}

function checkPath({ id, state: told, trail }: Facts, see: See): void {
  if (!isState(told)) see('legal_path', id, `its row is ${told}, which is no state`);
  // undefined: not known, behind a summary.
  let state: DispatchState | undefined;
  let isFirst = true;
  for (const step of trail) {
    if (isSummary(step)) state = undefined;
    else if (isNote(step.state)) {
      if (state !== undefined && !hasEnded(state) && step.state === 'late_result') {
        see('legal_path', id, `a late result while it was ${state}`);
      }
      continue;
    } else if (!isState(step.state)) see('legal_path', id, `a step ${step.state}, which is no state`);
    else {
      if (isFirst && step.state !== FIRST) see('legal_path', id, `it began as ${step.state}`);
      // A second ending is told as such.
      const isSecond = state !== undefined && hasEnded(state) && hasEnded(step.state);
      if (state !== undefined && !isSecond && !mayFollow(state, step)) {
        see('legal_path', id, `${step.state} after ${state}`);
      }
      state = step.state;
    }
    isFirst = false;
  }
  if (isFirst) see('legal_path', id, 'its trail is empty');
  // A row that has ended by a trail that has not, or the other way around, is a matter of endings.
  if (state !== undefined && state !== told && hasEnded(state) === isEnded(told)) {
    see('legal_path', id, `its row is ${told}, and its trail ends in ${state}`);
  }
}

/** Once more claimed is what was claimed only where it says that it was sent again. */
function mayFollow(state: DispatchState, step: Step): boolean {
  if (state === CLAIMED && isClaim(step)) return false;
  // Of what is out with nobody, nobody says that it failed: it can only have been bound to a link that is over.
  if (state === FIRST && step.state === FAILED) return step.reason === LAPSED;
  return NEXT.get(state)?.has(step.state as DispatchState) === true;
}

function checkEnding(facts: Facts, see: See): void {
  const { id, state, trail, endedUs, records } = facts;
  const endings = trail.filter((step) => isEnded(step.state)).map((step) => step.state);
  const mayBeHidden = isSummarised(facts);
  if (endings.length > 1) see('one_ending', id, `${endings.length} endings: ${endings.join(', ')}`);
  if (isEnded(state) && endings.length === 0 && !mayBeHidden) {
    see('one_ending', id, `its row is ${state}, and no step of its trail says so`);
  }
  if (!isEnded(state) && endings.length > 0) {
    see('one_ending', id, `its row is ${state}, and its trail has the ending ${endings.join(', ')}`);
  }
  if (isEnded(state) !== (endedUs !== null)) {
    see('one_ending', id, endedUs === null ? `${state} without an end` : `${state} with the time of an end`);
  }
  if (records !== 1) see('one_ending', id, `it is on record ${records} times`);
}

function checkTimes({ id, createdUs, trail }: Facts, see: See): void {
  let before = { state: 'its creation', atUs: createdUs };
  for (const step of trail) {
    if (step.atUs < before.atUs) {
      const [late, early] = [timeOf(before.atUs), timeOf(step.atUs)];
      see('times_grow', id, `${step.state} at ${early}, after ${before.state} at ${late}`);
    }
    before = step;
  }
}

function checkEpochs({ id, trail }: Facts, see: See): void {
  let epoch = 0;
  for (const step of trail) {
    if (step.epoch === undefined) {
      if (isClaim(step)) see('epochs_grow', id, `${step.state} under no epoch`);
      continue;
    }
    if (step.epoch < epoch) see('epochs_grow', id, `${step.state} under epoch ${step.epoch}, after ${epoch}`);
    epoch = step.epoch;
  }
}

function checkAttempts({ id, attempt: told, trail }: Facts, see: See): void {
  let attempt = 0;
  // Behind a summary more attempts may have been made.
  let isExact = true;
  for (const step of trail) {
    if (isSummary(step)) isExact = false;
    // Notes may speak of an attempt that is long past.
    if (isNote(step.state)) continue;
    const least = isClaim(step) ? attempt + 1 : attempt;
    const said = step.attempt ?? (isClaim(step) ? 0 : least);
    if (isExact ? said !== least : said < least) {
      see('attempts_grow', id, `${step.state} in attempt ${said}, where ${least} was due`);
    }
    if (step.attempt !== undefined) isExact = true;
    attempt = said;
  }
  if (isExact ? told !== attempt : told < attempt) {
    see('attempts_grow', id, `its row counts ${told} attempts, its trail ${attempt}`);
  }
}
