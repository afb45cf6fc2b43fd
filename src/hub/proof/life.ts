import { OPS_HELD_TO_ACK } from '../../protocol/op.js';
import { stateAfter } from '../dispatch/state.js';
import type { Facts, Step } from './facts.js';
import { isClaim, isEnded, isSummarised } from './path.js';

const ACKED = stateAfter('ack');

/** When a dispatch held its key, by the database's time. */
export type Life = {
  /** Its first claim; undefined where it was never claimed. */
  startedUs: number | undefined;
  /** When it let go of the key; of one that is live, the time until which it is known that it had not. */
  letGoUs: number;
};

/** The first word that the broker's journal holds what was last sent. */
function ackOf(trail: readonly Step[]): number | undefined {
  return trail.slice(trail.findLastIndex(isClaim)).find(({ state }) => state === ACKED)?.atUs;
}

/** @returns undefined where the trail does not tell: the steps that would were summarised */
export function lifeOf(facts: Facts): Life | undefined {
  const startedUs = facts.trail.find(isClaim)?.atUs;
  if (startedUs === undefined && isSummarised(facts)) return undefined;
  const endUs = facts.trail.find(({ state }) => isEnded(state))?.atUs ?? facts.endedUs;
  const ackUs = OPS_HELD_TO_ACK.includes(facts.op) ? ackOf(facts.trail) : undefined;
  return { startedUs, letGoUs: ackUs ?? endUs ?? facts.readUs };
}
