/**
 * When a call is made again. A repeat may reach a hub that has done the work already, so only a call whose repeat
 * is recognized (it reads, or carries an `Idempotency-Key` that its route honours, or ends in the same state) is
 * repeated after it may have arrived; any other only where it certainly did not.
 */
import { NoAnswer, Refused } from './problem.js';

/** Whether a second arrival of the same call does no harm. */
export type Repeat = 'harmless' | 'harmful';

export type Patience = {
  /** Milliseconds from the first failure, after which no further attempt is begun. */
  totalMs: number;
  baseMs: number;
  capMs: number;
};

/** For calls that change something, and for following what was accepted: a replica may die under them. */
export const PATIENT: Patience = { totalMs: 30_000, baseMs: 250, capMs: 5_000 };
/** For looking: somebody waits at the terminal to hear that the hub is away. */
export const BRIEF: Patience = { totalMs: 5_000, baseMs: 250, capMs: 2_000 };
/** Less than no time has passed since a first failure, however fast it came. */
export const ONCE: Patience = { totalMs: -1, baseMs: 0, capMs: 0 };

const RETRIED = new Set([429, 502, 503, 504]);
/** Answers of these statuses were given before anything was stored. */
const NOT_STORED = new Set([429, 503]);

/** Whether another attempt could end otherwise and does no harm. */
export function mayRepeat(failure: unknown, repeat: Repeat): boolean {
  if (failure instanceof NoAnswer) return repeat === 'harmless' || !failure.mayBeDelivered;
  if (!(failure instanceof Refused)) return false;
  // The broker's silence is the answer: the hub has waited for it already.
  if (!RETRIED.has(failure.status) || failure.code === 'broker_silent') return false;
  return repeat === 'harmless' || (NOT_STORED.has(failure.status) && failure.code !== 'outcome_unknown');
}

/** Whether the call may have been accepted, and nothing says so. */
export function isInDoubt(failure: unknown): boolean {
  return mayRepeat(failure, 'harmless') && !mayRepeat(failure, 'harmful');
}

/**
 * Milliseconds to pause before the next attempt: at least what the hub asked for, and spread out, since many
 * callers hear of a dead replica at the same moment.
 *
 * @param failures how many attempts failed so far, from 1
 * @param random from 0 to 1
 */
export function pauseMs(failures: number, failure: unknown, patience: Patience, random: number): number {
  const backoffMs = Math.min(patience.capMs, patience.baseMs * 2 ** (failures - 1));
  const askedMs = failure instanceof Refused ? failure.retryAfterMs : null;
  if (askedMs === null) return backoffMs * (0.5 + random / 2);
  return askedMs + patience.baseMs * random;
}
