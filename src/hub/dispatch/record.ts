import type { BrokerError, JsonObject, JsonValue } from '../../protocol/frame.js';
import type { Initiator } from './draft.js';
import type { DispatchState, Lane } from './state.js';

/** One recorded step of a dispatch. */
export type TrailStep = {
  state: DispatchState | 'late_result' | 'summarised';
  /** RFC 3339, the database's time. */
  at: string;
  replica?: string | null;
  epoch?: number;
  attempt?: number;
  reason?: string;
  /** Of a summary: how many steps it stands for. */
  count?: number;
};

/** A dispatch as it stands in its row, live or ended. */
export type DispatchRecord = {
  id: string;
  seq: number;
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
  claimedBy: string | null;
  claimEpoch: number | null;
  initiator: Initiator;
  createdAt: Date;
  deadlineAt: Date;
  endedAt: Date | null;
  result: JsonValue;
  error: BrokerError | null;
  /** Live commands of the same broker before this one, counted to at most 1,000; null once it has ended. */
  position: number | null;
  /** Whether some replica holds the broker's connection; null once it has ended. */
  connected: boolean | null;
};
