/** How and when commands end, against what may become of one of its kind. */
import { KINDS, type Kind, type KindRule } from './kinds.js';
import type { Given } from './record.js';
import type { TrailLine } from './trail-line.js';

/** By how much the clock of an owner may be ahead that has a command stopped at its deadline. */
export const STOPPED_EARLY_MS = 5_000;
/** For what is claimed just as its deadline passes, in a database that takes its time. */
const SENT_LATE_MS = 5_000;
/** Deadlines are swept every second, on any replica, while those and their database are being broken. */
const ENDED_LATE_MS = 60_000;
/** What is out when its deadline passes is given so long for the broker's own word. */
const WORD_WITHIN_MS = 30_000;
/** By when one that waits gives way to a later one, or is sent all the same. */
const OVERTAKEN_WITHIN_MS = 1_000;
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
  const latest = ofKind('latest', trails, given);
  const newest = new Map<string, number>();
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

/** What was sent though its deadline had passed, or was let live long after it. */
export function lateOf(trails: readonly TrailLine[], given: GivenOf): string[] {
  return trails.flatMap(({ id, idempotencyKey, outMs, lastOutMs, endedMs, deadlineMs }) => {
    const wasOut = outMs !== Infinity;
    const wasSent = wasOut && lastOutMs > deadlineMs + SENT_LATE_MS;
    const isExpiring = given.get(idempotencyKey)?.kind === 'expiring' && endedMs !== Infinity;
    const mayBeMs = ENDED_LATE_MS + (wasOut ? WORD_WITHIN_MS : 0);
    return [
      ...(wasSent ? [`${id} was sent ${lastOutMs - deadlineMs} ms after its deadline`] : []),
      ...(isExpiring && endedMs > deadlineMs + mayBeMs
        ? [`${id} ended ${endedMs - deadlineMs} ms after its deadline`]
        : []),
    ];
  });
}

/** What some of a kind must come to, where others of it may as well succeed. */
type Aim = {
  kind: Kind;
  /** Those of the kind that could; all where nothing else is told. */
  chancesOf?: (own: readonly TrailLine[]) => TrailLine[];
  isSo: (ended: TrailLine) => boolean;
  /** Of how many that could at least one must have. */
  ofAtLeast: number;
};

const AIMS = {
  cancelled: { kind: 'cancelled', isSo: ({ state }) => state === 'cancelled', ofAtLeast: 100 },
  /** While it was out: its broker heard of the wish, which for what waits the row alone must. */
  stopped: {
    kind: 'cancelled',
    chancesOf: (own) => own.filter(({ outMs }) => outMs !== Infinity),
    isSo: ({ state }) => state === 'cancelled',
    ofAtLeast: 30,
  },
  expiring: {
    kind: 'expiring',
    isSo: ({ state, errorCode }) => state === 'expired' || errorCode === 'deadline_passed',
    ofAtLeast: 100,
  },
  latest: {
    kind: 'latest',
    chancesOf: overtaken,
    isSo: ({ errorCode }) => errorCode === 'superseded',
    ofAtLeast: 10,
  },
} as const satisfies Record<string, Aim>;

type AimName = keyof typeof AIMS;
const AIM_NAMES = Object.keys(AIMS) as AimName[];

/** Of each aim: how many came to a chance of it, and of how many it was so. */
export type Met = Partial<Record<AimName, { chances: number; met: number }>>;

export function metOf(trails: readonly TrailLine[], given: GivenOf): Met {
  const met: Met = {};
  for (const name of AIM_NAMES) {
    const { kind, chancesOf, isSo }: Aim = AIMS[name];
    const own = ofKind(kind, trails, given).filter(({ ending }) => ending !== null);
    if (own.length === 0) continue;
    const chances = chancesOf?.(own) ?? own;
    met[name] = { chances: chances.length, met: chances.filter(isSo).length };
  }
  return met;
}

/** @returns aims to which none came, though enough could */
export function hardlyMet(met: Met): AimName[] {
  return AIM_NAMES.filter((name) => {
    const { chances, met: count } = met[name] ?? { chances: 0, met: 0 };
    return chances >= AIMS[name].ofAtLeast && count === 0;
  });
}

/** Those that were still waiting when a later one of their key had come. */
function overtaken(latest: readonly TrailLine[]): TrailLine[] {
  const inOrder = [...latest].sort((one, other) => other.seq - one.seq);
  const next = new Map<string, TrailLine>();
  return inOrder.filter((trail) => {
    const later = next.get(keyOf(trail));
    next.set(keyOf(trail), trail);
    return later !== undefined && trail.outMs > later.createdMs + OVERTAKEN_WITHIN_MS;
  });
}

function ofKind(kind: Kind, trails: readonly TrailLine[], given: GivenOf): TrailLine[] {
  return trails.filter(({ idempotencyKey }) => given.get(idempotencyKey)?.kind === kind);
}

function keyOf({ brokerId, orderingKey }: TrailLine): string {
  return `${brokerId} ${orderingKey}`;
}
