import type { ReadRow } from '../../src/hub/dispatch/claim.repository.js';

/** A row of broker `b` as its owner reads it: pending, without a key. */
export function readRow(seq: number, overrides: Partial<ReadRow> = {}): ReadRow {
  return {
    id: `d${seq}`,
    brokerId: 'b',
    seq,
    state: 'pending',
    attempt: 0,
    op: 'broker.ping',
    lane: 'normal',
    orderingKey: null,
    contract: 'until',
    restMs: 0,
    restsWithKey: false,
    cancelRequested: false,
    args: {},
    argsBytes: 5,
    remainingMs: 60_000,
    traceparent: null,
    ...overrides,
  };
}
