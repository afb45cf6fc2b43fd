import { OPS_HELD_TO_ACK } from '../../protocol/op.js';
import { stateAfter } from '../dispatch/state.js';
import type { Facts, Step } from './facts.js';
import { isClaim, isEnded, isSummarised, isSummary } from './path.js';

const [ACKED, PUT_BACK] = [stateAfter('ack'), stateAfter('requeue')];

/** From a time, and until just before another, both by the database's clock. */
export type Span = { fromUs: number; untilUs: number };

/** When a dispatch held its key, by the database's time. */
export type Life = {
  /** Its first claim; undefined where it was never claimed. */
  startedUs: number | undefined;
  /** When it let go of the key; of one that is live, the time until which it is known that it had not. */
  letGoUs: number;
  /** When an attempt had the key: nothing else of the key may start. */
  out: Span[];
  /** The same with the times between attempts, put back: nothing that was stored later may start. */
  held: Span[];
};

/** @returns undefined where the trail does not tell: the steps that would were summarised */
export function lifeOf(facts: Facts): Life | undefined {
  const { op, endedUs, readUs } = facts;
  const first = facts.trail.findIndex(isClaim);
  if (first < 0 && isSummarised(facts)) return undefined;
  const endUs = facts.trail.find(({ state }) => isEnded(state))?.atUs ?? endedUs ?? readUs;
  const steps = first < 0 ? [] : facts.trail.slice(first);
  const [start] = steps;
  if (start === undefined) return { startedUs: undefined, letGoUs: endUs, out: [], held: [] };
  const isHeldToAck = OPS_HELD_TO_ACK.includes(op);
  const out = spansOf(steps, endUs, (step) => ({
    opens: isClaim(step),
    closes: step.state === PUT_BACK || (isHeldToAck && step.state === ACKED) || isSummary(step),
  }));
  const held = spansOf(steps, endUs, (step) => ({
    opens: isClaim(step) || step.state === PUT_BACK,
    closes: isHeldToAck && (step.state === ACKED || isSummary(step)),
  }));
  return { startedUs: start.atUs, letGoUs: held.at(-1)?.untilUs ?? endUs, out, held };
}

function spansOf(
  steps: readonly Step[],
  endUs: number,
  what: (step: Step) => { opens: boolean; closes: boolean },
): Span[] {
  const spans: Span[] = [];
  let fromUs: number | undefined;
  let beforeUs = 0;
  for (const step of steps) {
    const { opens, closes } = what(step);
    if (fromUs === undefined && opens) fromUs = step.atUs;
    else if (fromUs !== undefined && (closes || isEnded(step.state))) {
      // A summary stands in the place of what it hides, and may be told later than that was.
      spans.push({ fromUs, untilUs: isSummary(step) ? beforeUs : step.atUs });
      fromUs = undefined;
    }
    beforeUs = step.atUs;
  }
  return fromUs === undefined ? spans : [...spans, { fromUs, untilUs: endUs }];
}
