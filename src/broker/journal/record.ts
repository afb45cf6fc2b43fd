import type { JsonObject, ResultItem } from '../../protocol/frame.js';

/** How a command ended, without the attempt: that may be asked for under another one later. */
export type Ending =
  | { outcome: 'succeeded'; body: Extract<ResultItem, { outcome: 'succeeded' }>['body'] }
  | { outcome: 'failed'; error: Extract<ResultItem, { outcome: 'failed' }>['error'] };

/**
 * One command in the journal.
 *
 *   (unknown) --begin--> begun --end--> ended --confirm--> confirmed --24 h--> forgotten
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
  ending: Ending | null;
  confirmedAt: number | null;
};

/** What goes over the wire for an ended command. */
export function resultOf({ id, attempt, ending }: JournalRecord): ResultItem | undefined {
  return ending === null ? undefined : { id, attempt, ...ending };
}
