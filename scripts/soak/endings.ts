/** How and when commands end, against what may become of one of its kind. */
import { KINDS, type KindRule } from './kinds.js';
import type { Given } from './record.js';
import type { TrailLine } from './trail-line.js';

/** By how much the clock of an owner may be ahead that has a command stopped at its deadline. */
const STOPPED_EARLY_MS = 5_000;
/** Of those that are none of `--mix`: their op never fails, and nobody gives them up. */
const SURE: KindRule = { mayEnd: ['succeeded'] };

export type GivenOf = ReadonlyMap<string | null, Given>;

/** What ended as one of its kind must not, or failed otherwise than one of its kind may. */
export function unservedOf(trails: readonly TrailLine[], given: GivenOf): TrailLine[] {
  return trails.filter(({ idempotencyKey, ending, state, errorCode }) => {
    const kind = given.get(idempotencyKey)?.kind;
    const { mayEnd, failsAs }: KindRule = kind === undefined ? SURE : KINDS[kind];
    if (ending === null || ending === 'unknown') return false;
    return !mayEnd.includes(state) || (state === 'failed' && errorCode !== failsAs);
  });
}

/** What another was to take the place of, and none came after it. */
export function passedOver(trails: readonly TrailLine[], given: GivenOf): TrailLine[] {
  const latest = trails.filter(({ idempotencyKey }) => given.get(idempotencyKey)?.kind === 'latest');
  const newest = new Map<string, number>();
  const keyOf = ({ brokerId, orderingKey }: TrailLine) => `${brokerId} ${orderingKey}`;
  for (const trail of latest) newest.set(keyOf(trail), Math.max(trail.seq, newest.get(keyOf(trail)) ?? 0));
  return latest.filter((trail) => trail.state === 'cancelled' && newest.get(keyOf(trail)) === trail.seq);
}

/** What was sent before its time, or expired before its deadline. */
export function earlyOf(trails: readonly TrailLine[], given: GivenOf): string[] {
  return trails.flatMap(({ id, idempotencyKey, state, outMs, endedMs, deadlineMs }) => {
    const { kind, notBeforeMs = null } = given.get(idempotencyKey) ?? {};
    const wasSent = notBeforeMs !== null && outMs < notBeforeMs;
    const mayBeMs = outMs === Infinity ? 0 : STOPPED_EARLY_MS;
    const isOver = state === 'expired' || (kind === 'expiring' && state === 'failed');
    const hasExpired = isOver && endedMs < deadlineMs - mayBeMs;
    return [
      ...(wasSent ? [`${id} was sent ${notBeforeMs - outMs} ms before its time`] : []),
      ...(hasExpired ? [`${id} expired ${deadlineMs - endedMs} ms before its deadline`] : []),
    ];
  });
}
