import type { JsonObject } from '../../protocol/frame.js';
import type { Idempotency } from '../auth/request-key.js';
import type { Contract, Lane } from './state.js';

/** Who asked for a command, kept with it for as long as it is. */
export type Initiator = {
  kind: 'person' | 'hub';
  id: string;
  name: string;
  credentialId: string | null;
  requestId: string;
  /** The key of an idempotent request, so that what became of it can be told long after it is forgotten. */
  idempotencyKey?: string;
  /** The trace context of the request (W3C), which goes with the command to its broker. */
  traceparent?: string;
};

/** A command that was checked and may be stored. */
export type Draft = {
  id: string;
  /** The project that it belongs to, whose rules it is judged by; null for none. */
  projectId: string | null;
  /** It ends what runs, and is accepted also where the project is archived or does not admit the broker any more. */
  endsRun: boolean;
  brokerId: string;
  agentId: string | null;
  op: string;
  args: JsonObject;
  /** Of the arguments as they came, in UTF-8. */
  argsBytes: number;
  /** What the broker must have announced; null where any will do. */
  capability: string | null;
  lane: Lane;
  /** Commands of one broker with the same key run one after another; null for no order. */
  orderingKey: string | null;
  deadlineS: number;
  /** Not to be sent sooner; null for at once. */
  notBefore: Date | null;
  contract: Contract;
  /** The ended dispatch that this one does again. */
  redriveOf: string | null;
  initiator: Initiator;
  idempotency: Idempotency | null;
};
