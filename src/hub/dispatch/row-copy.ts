import type { BrokerError, JsonObject, JsonValue } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { COPY_BYTES } from '../cluster/hint.js';
import { isKeptByJsonb } from '../database/jsonb.js';
import type { Draft } from './draft.js';
import { ENDED_STATES, type EndedState } from './state.js';

/** Seconds; longer than a hint may be under way. */
const AHEAD_DEADLINE_S = 30;

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
  /** Of the arguments, also where they are not told. */
  argsBytes: number;
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

/** Whether it may be claimed before its owner has seen it: the hint may be late, and must not take it past its deadline. */
export function isClaimableAhead(draft: Draft): boolean {
  return isPlain(draft) && draft.orderingKey === null && draft.deadlineS >= AHEAD_DEADLINE_S;
}

/** The copy that a hint brought, or undefined: whoever may NOTIFY may say anything. */
export function readCommandCopy(value: unknown): CommandCopy | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { brokerId, seq, op, args, argsBytes, orderingKey, deadlineS, traceparent, epoch } = value as Record<
    string,
    unknown
  >;
  const isText = (text: unknown) => text === null || typeof text === 'string';
  const isWhole =
    typeof brokerId === 'string' &&
    typeof op === 'string' &&
    Number.isSafeInteger(seq) &&
    typeof deadlineS === 'number' &&
    typeof args === 'object' &&
    !Array.isArray(args) &&
    isText(orderingKey) &&
    isText(traceparent) &&
    (epoch === null || Number.isSafeInteger(epoch));
  if (!isWhole) return undefined;
  // A replica of a release before this one does not tell it.
  const isSized =
    Number.isSafeInteger(argsBytes) && 0 <= Number(argsBytes) && Number(argsBytes) <= LIMITS.argsBytes;
  const copy = value as CommandCopy;
  return isSized ? copy : { ...copy, argsBytes: args === null ? LIMITS.argsBytes : COPY_BYTES };
}

/** As `readCommandCopy`, of an outcome. */
export function readOutcomeCopy(value: unknown): OutcomeCopy | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { state, attempt, claimedBy, claimEpoch, endedAtMs } = value as Record<string, unknown>;
  const isWhole =
    (ENDED_STATES as readonly unknown[]).includes(state) &&
    Number.isSafeInteger(attempt) &&
    typeof claimedBy === 'string' &&
    Number.isSafeInteger(claimEpoch) &&
    typeof endedAtMs === 'number' &&
    'result' in value &&
    'error' in value;
  return isWhole ? (value as OutcomeCopy) : undefined;
}

export function commandCopy(draft: Draft, seq: number, epoch: number | null): CommandCopy {
  const { brokerId, op, args, argsBytes, orderingKey, deadlineS, initiator } = draft;
  const traceparent = initiator.traceparent ?? null;
  const copy = { brokerId, seq, op, args, argsBytes, orderingKey, deadlineS, traceparent, epoch };
  return isTellable(copy) ? copy : { ...copy, args: null };
}

/** Whether a copy is small enough for a hint, and says what its row says. */
export function isTellable(copy: CommandCopy | OutcomeCopy): boolean {
  try {
    const text = JSON.stringify(copy);
    return Buffer.byteLength(text) <= COPY_BYTES && isKeptByJsonb(text);
  } catch (error) {
    // Nested so deep that it cannot be written: the row is read instead.
    if (error instanceof RangeError) return false;
    throw error;
  }
}
