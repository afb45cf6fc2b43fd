import type { Waiting } from './waiting.js';

/** A claimed row that is about to be sent, or was, and is not acked yet. */
export type Sent = Waiting & {
  attempt: number;
  deadlineAt: number;
  /** When its frame went out last; all three by this process's clock. */
  sentAt: number;
  /** null where another process claimed it, or the claim's answer was lost. */
  claimedAt: number | null;
  /** Its age at the claim, in seconds; null as above. */
  ageS: number | null;
};

type Claim = Pick<Sent, 'attempt' | 'deadlineAt' | 'sentAt' | 'claimedAt' | 'ageS'>;

/** Field by field, so that all of them have one shape, which is made for each command. */
export function sentOf(row: Waiting, { attempt, deadlineAt, sentAt, claimedAt, ageS }: Claim): Sent {
  return {
    id: row.id,
    seq: row.seq,
    op: row.op,
    lane: row.lane,
    orderingKey: row.orderingKey,
    contract: row.contract,
    args: row.args,
    argsBytes: row.argsBytes,
    dueAt: row.dueAt,
    restsWithKey: row.restsWithKey,
    cancelRequested: row.cancelRequested,
    traceparent: row.traceparent,
    attempt,
    deadlineAt,
    sentAt,
    claimedAt,
    ageS,
  };
}
