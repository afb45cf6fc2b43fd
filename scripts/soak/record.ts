import type { Kind } from './kinds.js';

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
  /** When it was asked for, where it was looked up then: a repeat is told again what was told first. Milliseconds since 1970. */
  readMs?: number;
};

/** What became of one command at its client, in milliseconds after the beginning. */
export type Call = {
  idempotencyKey: string;
  dueMs: number;
  acceptedMs: number | null;
  /** When its client knew the ending; null where it did not ask, or never knew. */
  endedMs: number | null;
  /** Whether the client waited for the ending. */
  waited: boolean;
  tries: number;
  /** When it asked for the last time; milliseconds since 1970, null where it never came to that. */
  askedMs: number | null;
  /** When it was last refused for certain, before any try that may have been stored: milliseconds since 1970; left out where it never was. */
  refusedMs?: number | undefined;
};

/** A command that need not succeed, as its client gave it. @property notBeforeMs milliseconds since 1970 */
export type Given = { idempotencyKey: string; kind: Kind; notBeforeMs: number | null };

/** A broker's process was killed, and with it went what was under way, or its whole journal; and when it was up again. */
export type Lost = { brokerId: string; at: string; until: string };

/** An answer that a hub must not give to a command that is right. */
export type Untrue = { at: string; status: number; body: string };

/** A call that ended without an answer, as its client saw it. Times are milliseconds since 1970. */
export type Silence = {
  error: string;
  /** Whether the client itself ended it, since no answer came within its time. */
  wasLate: boolean;
  /** What it asked with, where that has a key. */
  idempotencyKey: string | null;
  /** The port from which it came; null where it had no connection yet. */
  nearPort: number | null;
  begunMs: number;
  endedMs: number;
  /** For how long nothing had been asked on its connection, and for how long the hub had said that it keeps such; null on a new one. */
  idleMs: number | null;
  keptMs: number | null;
};

/** An answer that nobody knows whether a command was stored, and the call that got it. Times are milliseconds since 1970. */
export type Doubt = Pick<Silence, 'idempotencyKey' | 'nearPort' | 'begunMs' | 'endedMs'>;

/** A connection as whatever is between a client and the replicas saw it. Times are milliseconds since 1970. */
export type Link = {
  nearPort: number;
  /** Of the replica to which it led; null where none took it. */
  replicaPort: number | null;
  openedMs: number;
  /** When a fault first cut or silenced it. */
  brokenMs: number | null;
  endedMs: number | null;
  endedBy: 'near' | 'far' | 'fault' | null;
  /** When nothing passed on it for a while, and nothing was lost. */
  holds: readonly { fromMs: number; untilMs: number }[];
};

/** A replica was ended, or stood still, for a reason that is known. Times are milliseconds since 1970. */
export type Absence = {
  replicaPort: number;
  why: 'killed' | 'drained' | 'paused' | 'crashed';
  fromMs: number;
  untilMs: number;
};

/**
 * The database was away, slow or unwilling for a replica, or for all where that is null, for a reason that is known. Times are
 * milliseconds since 1970.
 */
export type Ailment = { replicaPort: number | null; fromMs: number; untilMs: number };
