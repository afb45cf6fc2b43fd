/** What a broker wrote down of each effect, in the order in which they happened, in a file that the product knows nothing of. */
export type Effect = {
  /** The idempotency key of its command: a broker's op is not told the id. */
  note: string;
  brokerId: string;
  orderingKey: string;
  turn: number | null;
  at: string;
};

/** What a client was told, as `fairlead verify --answers` takes it. */
export type Answer = {
  dispatchId?: string;
  idempotencyKey: string;
  state: string;
  submittedAt: string;
  answeredAt: string;
  cut?: boolean;
};

/** What became of one command at its client, in milliseconds after the beginning. */
export type Call = {
  dueMs: number;
  acceptedMs: number | null;
  /** When its client knew the ending; null where it did not ask, or never knew. */
  endedMs: number | null;
  /** Whether the client waited for the ending. */
  waited: boolean;
  tries: number;
};

/** A broker's process was killed, and with it went what was under way, or its whole journal; and when it was up again. */
export type Lost = { brokerId: string; at: string; until: string };

/** An answer that a hub must not give to a command that is right. */
export type Untrue = { at: string; status: number; body: string };
