import { RESENT, type TrailFacts } from '../../src/hub/dispatch/record.js';

/** A trail as far as it is looked at here: a long soak has more of them than fit into memory as they are. */
export type TrailLine = {
  id: string;
  idempotencyKey: string | null;
  brokerId: string;
  /** null for one that has not ended. */
  ending: 'succeeded' | 'unknown' | 'another' | null;
  state: string;
  errorCode: string | null;
  /** Milliseconds since 1970, by the database's clock: when the statement began that stored it. */
  createdMs: number;
  /** Milliseconds since 1970: when it was claimed for the first time and for the last, and when it ended; Infinity where it was not, or did not. */
  outMs: number;
  lastOutMs: number;
  endedMs: number;
  deadlineMs: number;
  /** In the order of which commands were stored, and what it shares with those of its key. */
  seq: number;
  orderingKey: string | null;
};

export function trailLineOf({
  id,
  idempotencyKey,
  broker,
  state,
  error,
  createdAt,
  endedAt,
  deadlineAt,
  seq,
  orderingKey,
  trail,
}: TrailFacts): TrailLine {
  const claims = trail.filter(({ state, reason }) => state === 'claimed' && reason !== RESENT);
  const outMs = (claim: { at: string } | undefined) =>
    claim === undefined ? Infinity : Date.parse(claim.at);
  const { effect } = (error?.data ?? {}) as { effect?: unknown };
  const isUnknown = error?.code === 'outcome_unknown' || effect === 'unknown';
  const ending = state === 'succeeded' ? 'succeeded' : isUnknown ? 'unknown' : 'another';
  return {
    id,
    idempotencyKey,
    brokerId: broker.id,
    ending: endedAt === null ? null : ending,
    state,
    errorCode: error?.code ?? null,
    createdMs: Date.parse(createdAt),
    outMs: outMs(claims[0]),
    lastOutMs: outMs(claims.at(-1)),
    endedMs: endedAt === null ? Infinity : Date.parse(endedAt),
    deadlineMs: Date.parse(deadlineAt),
    seq,
    orderingKey,
  };
}
