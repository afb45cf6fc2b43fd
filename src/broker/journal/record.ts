import type { BrokerError, JsonObject, ResultItem } from '../../protocol/frame.js';
import { CODE_LENGTH, LIMITS } from '../../protocol/limits.js';
import { OPS_THAT_ASK } from '../../protocol/op.js';

const ASKS: ReadonlySet<string> = new Set(OPS_THAT_ASK);

/** How a command ended, without the attempt: that may be asked for under another one later. */
export type Ending =
  | { outcome: 'succeeded'; body: Extract<ResultItem, { outcome: 'succeeded' }>['body'] }
  | { outcome: 'failed'; error: Extract<ResultItem, { outcome: 'failed' }>['error'] }
  | { outcome: 'cancelled' };

/**
 * One command in the journal.
 *
 *   (unknown) --begin--> begun --end--> ended --confirm--> confirmed --24 h--> forgotten
 *       |                  ^              ^ |
 *       |                  +----------------+ a failure that may pass, sent again under a newer attempt
 *       +--cancel: a tombstone------------+
 *
 * Begun is what was taken in; whether its op was given it the journal says only where a broker ended in peace.
 */
export type JournalRecord = {
  id: string;
  /** The attempt that was sent last; results are told for it. */
  attempt: number;
  op: string;
  args: JsonObject;
  key: string | null;
  /** By this machine's wall clock, milliseconds. */
  deadlineAt: number;
  begunAt: number;
  /** Grows with each begin: ids and clocks say nothing of what came first. Records of older brokers have none. */
  place?: number;
  /** No life so far has given it to its op. Written as a broker ends in peace, and taken back before a later one begins it. */
  isUnstarted?: boolean;
  ending: Ending | null;
  confirmedAt: number | null;
  /** Its answer was let go of at the confirm: where the hub asks again, it is done again. */
  isBare?: boolean;
};

/** Answers up to this size are kept with their records. */
const KEPT_ANSWER_LENGTH = 4_096;

/** Of what was begun and has no end that can still be learned. */
export const LOST: Ending = {
  outcome: 'failed',
  error: {
    code: 'outcome_unknown',
    message: 'It was begun by an earlier life of the broker.',
    retryable: false,
  },
};

/** Whether a newer attempt may do it again: its failure was one that may pass. */
export function mayBeRetried(ending: Ending | null): boolean {
  return ending?.outcome === 'failed' && takenOf(ending.error).retryable;
}

/**
 * A failure as a hub takes it, which cuts the link for any other, and with it for all that is told beside. Ops of one's own may
 * be plain JavaScript, which puts anything in the place of a code.
 */
export function takenOf(error: BrokerError): BrokerError {
  const { code, message, retryable }: Record<string, unknown> = { ...error };
  const isCode = typeof code === 'string' && code.length > 0 && code.length <= CODE_LENGTH;
  return {
    ...error,
    code: isCode ? code : 'op_failed',
    message: typeof message === 'string' ? message.slice(0, LIMITS.messageLength) : 'The op failed.',
    retryable: retryable === true,
  };
}

/**
 * A record as it is kept once the hub has its end. What only asks for data is large where anything is, is asked for again and again,
 * and changes nothing when it is done once more: a day of such answers would be gigabytes.
 */
export function confirmedOf(record: JournalRecord, confirmedAt: number): JournalRecord {
  const confirmed = { ...record, args: {}, ending: record.ending ?? LOST, confirmedAt };
  const { ending } = confirmed;
  if (!ASKS.has(record.op) || ending.outcome !== 'succeeded') return confirmed;
  if (JSON.stringify(ending.body).length <= KEPT_ANSWER_LENGTH) return confirmed;
  return { ...confirmed, ending: { outcome: 'succeeded', body: null }, isBare: true };
}

/** What goes over the wire for an ended command: also where an older broker kept a failure that no hub takes. */
export function resultOf({ id, attempt, ending, isBare }: JournalRecord): ResultItem | undefined {
  if (isBare === true) return undefined;
  if (ending?.outcome === 'failed') return { id, attempt, ...ending, error: takenOf(ending.error) };
  return ending === null ? undefined : { id, attempt, ...ending };
}
