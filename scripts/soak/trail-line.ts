import type { TrailFacts } from '../../src/hub/dispatch/record.js';

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
  /** Milliseconds since 1970: when it was first claimed, and when it ended; Infinity where it was not, or did not. */
  outMs: number;
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
  const claimed = trail.find((step) => step.state === 'claimed');
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
    outMs: claimed === undefined ? Infinity : Date.parse(claimed.at),
    endedMs: endedAt === null ? Infinity : Date.parse(endedAt),
    deadlineMs: Date.parse(deadlineAt),
    seq,
    orderingKey,
  };
}
