import type { BrokerError, JsonObject, JsonValue } from '../../protocol/frame.js';
import type { Initiator } from './draft.js';
import type { Contract, DispatchState, Lane } from './state.js';

/** Steps that note something and leave the state as it is; the last stands in the place of others. */
export const NOTES = ['cancel_requested', 'late_result', 'summarised'] as const;

/** Why a step says once more that it is claimed, in the same attempt: it goes out again on another link of its broker. */
export const RESENT = 'known_by_another_attempt';

/** One recorded step of a dispatch. */
export type TrailStep = {
  state: DispatchState | (typeof NOTES)[number];
  /** RFC 3339, the database's time. */
  at: string;
  replica?: string | null;
  epoch?: number;
  attempt?: number;
  reason?: string;
  /** Of a summary: how many steps it stands for. */
  count?: number;
};

/** How far the latest attempt is, by the broker's latest word. */
export type ProgressRecord = {
  /** From 0 to 1. */
  fraction: number | null;
  note: string | null;
  /** When it was last heard of: RFC 3339, the database's time. */
  at: string;
};

/** A dispatch as it stands in its row, live or ended. */
export type DispatchRecord = {
  id: string;
  seq: number;
  projectId: string | null;
  brokerId: string;
  brokerName: string | null;
  agentId: string | null;
  op: string;
  args: JsonObject;
  lane: Lane;
  orderingKey: string | null;
  state: DispatchState;
  attempt: number;
  failures: number;
  maxFailures: number;
  contract: Contract;
  notBefore: Date | null;
  /** When it goes out again after a failure that may pass. */
  retryAt: Date | null;
  cancelRequestedAt: Date | null;
  /** The ended dispatch that this one does again. */
  redriveOf: string | null;
  claimedBy: string | null;
  claimEpoch: number | null;
  initiator: Initiator;
  progress: ProgressRecord | null;
  createdAt: Date;
  deadlineAt: Date;
  endedAt: Date | null;
  result: JsonValue;
  error: BrokerError | null;
  /** Live commands of the same broker before this one, counted to 100, or to one more than its window; null once it has ended. */
  position: number | null;
  /** What keeps it from going on, in a sentence; null once it has ended. */
  reason: string | null;
};

/** A dispatch as its row has it: what keeps it from going on is not in its row. */
export type ReadRecord = Omit<DispatchRecord, 'position' | 'reason'>;

/** What a proof needs to know of one dispatch: what it is, how it stands, and how it came there. */
export type TrailFacts = {
  id: string;
  seq: number;
  broker: { id: string; name: string | null };
  agent: string | null;
  op: string;
  lane: Lane;
  orderingKey: string | null;
  state: DispatchState;
  attempt: number;
  createdAt: string;
  /** Not sent, and in nobody's way, sooner; null for at once. */
  notBefore: string | null;
  deadlineAt: string;
  endedAt: string | null;
  error: BrokerError | null;
  /** The key under which its request can be repeated. */
  idempotencyKey: string | null;
  /** The ended one that it does again. */
  redriveOf: string | null;
  /** How often it is on record: once, or a row was left behind where another was made. */
  records: number;
  /** The database's time when it was read. */
  readAt: string;
  trail: TrailStep[];
};
