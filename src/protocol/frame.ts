/**
 * The frames of the control channel: one JSON object a WebSocket text message, `t` names its type.
 * Unknown fields are ignored; an unknown type closes the link. Frames that carry work carry it in lists,
 * so that whatever is ready travels together.
 */

export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

/** What a broker may say of its own health; `unreachable` and `offline` are the hub's to derive. */
export type ReportedHealth = 'online' | 'degraded';

/** What a broker's journal knows of a dispatch when a link opens. */
export type InventoryStatus =
  /** Begun, and its work goes on. */
  | 'running'
  /** Ended; its result follows on this link, or was sent and not confirmed. */
  | 'ended'
  /** Begun by an earlier life of the broker, without an end that can still be learned. */
  | 'lost';

export type InventoryEntry = { id: string; attempt: number; status: InventoryStatus };

export type BrokerError = { code: string; message: string; retryable: boolean; data?: JsonObject };

export type ResultItem = { id: string; attempt: number } & (
  | { outcome: 'succeeded'; body: JsonValue }
  | { outcome: 'failed'; error: BrokerError }
  /** It was not begun, or was stopped, because the hub asked for that. */
  | { outcome: 'cancelled' }
);

/** How far a command is. At least one of both is told; null leaves what was told before as it was. */
export type ProgressItem = {
  id: string;
  attempt: number;
  /** From 0 to 1. */
  fraction: number | null;
  note: string | null;
};

/** The phases of an agent that a broker can see with its own eyes. */
export type ReportedPhase = 'starting' | 'running' | 'stopping' | 'stopped' | 'failed';

/** The full state of one agent's latest run: later reports replace earlier ones. */
export type AgentReport = {
  agentId: string;
  runId: string;
  phase: ReportedPhase;
  /** Of its latest end; while it runs, of the one before its latest restart. */
  exitCode: number | null;
  detail: string | null;
  /** How often its command was started again under the run's own policy, a restart that is due included. */
  restarts: number;
};

export type Hello = {
  t: 'hello';
  protocol: { min: number; max: number };
  /** Made anew each time the broker process starts: tells a reconnect from a cloned machine. */
  bootId: string;
  /** The identity of the journal: another id means that what was begun is no longer known. */
  journalId: string;
  /** The newest epoch this broker was ever welcomed with; 0 for none. */
  lastEpoch: number;
  software: string;
  capabilities: string[];
  labels: Record<string, string>;
  window: number;
  health: ReportedHealth;
  /** Only over the subprotocol for it: the link is held ready, and owns nothing. */
  standby?: boolean;
};

/** On a standby link: the broker is to be owned by this replica now. What is left out is as it was in the hello. */
export type Promote = { t: 'promote'; lastEpoch: number; capabilities: string[]; health: ReportedHealth };

export type Inventory = { t: 'inventory'; entries: InventoryEntry[]; last: boolean };
export type Heartbeat = {
  t: 'heartbeat';
  health: ReportedHealth;
  load: number | null;
  running: number;
  /** The digest of its agents, see `agentsDigestText`; left out where it cannot tell of all of them. */
  agents?: string;
};
export type Ack = { t: 'ack'; acks: { id: string; attempt: number }[] };
/** May be lost: the hub keeps the latest of each command, and writes at most one a second. */
export type Progress = { t: 'progress'; progress: ProgressItem[] };
export type Result = { t: 'result'; results: ResultItem[] };
/**
 * Agents that have changed; or, in one or more frames one after another, all that the broker has, where the last one says
 * so. Of what is not in such a list the broker knows nothing.
 */
export type Event = { t: 'event'; agents: AgentReport[]; list?: 'part' | 'last' };
/**
 * All that the broker can do now, in place of what it said before. Only to hubs whose welcome has a revision; the frame's own
 * must be greater than every one before, or it is refused.
 */
export type Capabilities = { t: 'capabilities'; revision: number; capabilities: string[] };
export type Goodbye = { t: 'goodbye'; reason: string };

export type BrokerFrame =
  Hello | Promote | Inventory | Heartbeat | Ack | Progress | Result | Event | Capabilities | Goodbye;

/** How a broker stands in one project. */
export type AttachmentNotice = {
  project: string;
  name: string;
  state: 'registering' | 'online' | 'degraded' | 'offline' | 'revoked';
  /** It is below the project's version floor: it finishes what it has, and is given no new work there. */
  readOnly: boolean;
};

export type Welcome = {
  t: 'welcome';
  connectionId: string;
  brokerId: string;
  epoch: number;
  protocol: number;
  heartbeatMs: number;
  livenessMs: number;
  limits: { frameBytes: number; resultBytes: number; window: number };
  hubVersion: string;
  /** RFC 3339, by the hub's clock, which is its database's. */
  hubTime: string;
  /** Public addresses of other live replicas, for when this one is gone. */
  alternatives: string[];
  /** The projects that it is attached to. */
  attachments: AttachmentNotice[];
  /** Under which the capabilities of the hello are on record; 0 of a hub that takes no later word on them. */
  capabilitiesRevision: number;
};

/** The answer to a hello with `standby`: this replica holds the link ready, and is no owner. */
export type StandbyOk = {
  t: 'standby_ok';
  connectionId: string;
  livenessMs: number;
  /** Public addresses of other live replicas. */
  alternatives: string[];
};

/** What became of a `capabilities` frame. A refusal ends nothing: the link goes on, and what was on record stands. */
export type CapabilitiesAck = {
  t: 'capabilities_ack';
  /** Of the frame that is answered. */
  revision: number;
  /** Under which there are capabilities on record now: the next frame needs a greater one. */
  stored: number;
  /** null where they were taken. */
  error: { code: string; message: string } | null;
};

/** The hub does not know what the broker's digest speaks of, and wants all of it; only to brokers that announce that they know the frame. */
export type AgentsWanted = { t: 'agents_wanted' };

/** Attachments that have changed since the welcome; only to brokers that announce that they know the frame. */
export type AttachmentChanged = { t: 'attachment'; attachments: AttachmentNotice[] };

/** The hub has compared the inventory with its rows: from here on it sends dispatches. */
export type InventoryOk = { t: 'inventory_ok' };
export type HeartbeatAck = {
  t: 'heartbeat_ack';
  hubTime: string;
  /** As in the welcome, where that has changed since this link was told; left out also by hubs that are older. */
  alternatives?: string[];
};

export type DispatchItem = {
  id: string;
  attempt: number;
  op: string;
  args: JsonObject;
  /** The ordering key; null where the command is ordered with nothing. */
  key: string | null;
  /** Milliseconds until the deadline, by the hub's clock, when the frame was written. */
  remainingMs: number;
  /** The trace context of the request that it came with, as W3C's header of that name; for logs and traces alone. */
  traceparent?: string;
};
export type Dispatch = { t: 'dispatch'; dispatches: DispatchItem[] };

/**
 * Commands to be stopped, or not to be begun. Each is answered by its result: `cancelled`, or how it ended all the
 * same. An id that the broker does not know yet is remembered, so that it is not begun later.
 */
export type Cancel = { t: 'cancel'; cancels: { id: string; attempt: number }[] };

/** Results that are committed: the broker need not tell them again. */
export type Confirm = { t: 'confirm'; ids: string[] };

export type GoingAway = {
  t: 'going_away';
  reason: string;
  /** Milliseconds until the hub closes the link itself. */
  deadlineMs: number;
  /** Milliseconds that this broker should wait before it moves, so that not all move at once. */
  slotMs: number;
  alternatives: string[];
};

export type HubFrame =
  | Welcome
  | StandbyOk
  | InventoryOk
  | HeartbeatAck
  | Dispatch
  | Cancel
  | Confirm
  | GoingAway
  | AgentsWanted
  | AttachmentChanged
  | CapabilitiesAck;

export type BrokerFrameType = BrokerFrame['t'];
export type HubFrameType = HubFrame['t'];
export type FrameOf<T extends BrokerFrameType | HubFrameType> = Extract<BrokerFrame | HubFrame, { t: T }>;
