import type { BrokerError, JsonObject, JsonValue } from '../../protocol/frame.js';
import { COPY_BYTES } from '../cluster/hint.js';
import { isKeptByJsonb } from '../database/jsonb.js';
import type { Draft } from './draft.js';
import type { EndedState } from './state.js';

/**
 * What the owner of a broker's connection needs of a new command's row to claim and send it. Told with the wake, it saves
 * reading the row; that it is lost costs that reading and no more.
 */
export type CommandCopy = {
  brokerId: string;
  seq: number;
  op: string;
  /** null where they are too large to be told: they are read from the row. */
  args: JsonObject | null;
  orderingKey: string | null;
  /** From when it was stored. */
  deadlineS: number;
  traceparent: string | null;
  /** The epoch under which it was stored as claimed; null where it is pending. */
  epoch: number | null;
};

/** How a dispatch ended that nothing happened to but that it was sent and answered: an ended row never changes. */
export type OutcomeCopy = {
  state: EndedState;
  attempt: number;
  claimedBy: string;
  claimEpoch: number;
  /** Milliseconds since 1970, by the database's clock. */
  endedAtMs: number;
  result: JsonValue;
  error: BrokerError | null;
};

/** Only commands that may go out at once, in the order of `seq` and of their keys, are told by copies. */
export function isPlain({ contract, notBefore, lane }: Draft): boolean {
  return contract === 'until' && notBefore === null && lane === 'normal';
}

export function commandCopy(draft: Draft, seq: number, epoch: number | null): CommandCopy {
  const { brokerId, op, args, orderingKey, deadlineS, initiator } = draft;
  const traceparent = initiator.traceparent ?? null;
  const copy = { brokerId, seq, op, args, orderingKey, deadlineS, traceparent, epoch };
  return isTellable(copy) ? copy : { ...copy, args: null };
}

/** Whether a copy is small enough for a hint, and says what its row says. */
export function isTellable(copy: CommandCopy | OutcomeCopy): boolean {
  const text = JSON.stringify(copy);
  return Buffer.byteLength(text) <= COPY_BYTES && isKeptByJsonb(text);
}
