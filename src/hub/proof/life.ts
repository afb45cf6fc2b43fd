import type { Facts } from './facts.js';
import { isClaim, isEnded, isSummarised } from './path.js';

/** When a dispatch held its key, by the database's time. */
export type Life = {
  /** Its first claim; undefined where it was never claimed. */
  startedUs: number | undefined;
  /** When it let go of the key; of one that is live, the time until which it is known that it had not. */
  letGoUs: number;
};

/** @returns undefined where the trail does not tell: the steps that would were summarised */
export function lifeOf(facts: Facts): Life | undefined {
  const startedUs = facts.trail.find(isClaim)?.atUs;
  if (startedUs === undefined && isSummarised(facts)) return undefined;
  const endUs = facts.trail.find(({ state }) => isEnded(state))?.atUs ?? facts.endedUs;
  return { startedUs, letGoUs: endUs ?? facts.readUs };
}
