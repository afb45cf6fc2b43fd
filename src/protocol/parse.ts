/**
 * Text to frame, once, at the edge. What comes out is exactly a frame's fields; what cannot be read throws a
 * ProtocolError, and the link closes with its reason.
 *
 * The readers are the one source of what a frame may hold: the compiler holds them to the types, and the description of
 * the wire for others is made from their shapes.
 */
import type {
  AgentReport,
  AttachmentNotice,
  BrokerError,
  BrokerFrame,
  BrokerFrameType,
  CapabilitiesAck,
  DispatchItem,
  FrameOf,
  HubFrame,
  HubFrameType,
  InventoryEntry,
  ProgressItem,
  ResultItem,
  Welcome,
} from './frame.js';
import { CODE_LENGTH, LIMITS } from './limits.js';
import { ProtocolError } from './protocol.error.js';
import * as read from './read.js';
import { isTraceparent, TRACEPARENT } from './traceparent.js';

/** PostgreSQL's integer: what it cannot hold must not fail the statement that others' words share. */
const INTEGER_MOST = 0x7fff_ffff;
const attempt = read.integer(1, INTEGER_MOST);
const code = read.text(CODE_LENGTH);
const message = read.text(LIMITS.messageLength);
const alternatives = read.list(read.text(), 64);
const capabilities = read.list(read.keptText(LIMITS.labelLength), LIMITS.capabilities);
const health = read.oneOf('online', 'degraded');
const version = read.integer(0, 1000);
const atLeastOne = read.integer(1);

type Attempt = { id: string; attempt: number };
const fence = { id: read.uuid, attempt };
const attempts = read.list(read.record<Attempt>(fence), LIMITS.batch);

const inventoryEntry = read.record<InventoryEntry>({
  ...fence,
  status: read.oneOf('running', 'ended', 'lost'),
});

const brokerError = read.record<BrokerError>({
  code,
  message,
  retryable: read.flag,
  data: read.optional(read.jsonObject),
});

type Outcome<O extends ResultItem['outcome']> = Extract<ResultItem, { outcome: O }>;

const resultItem = read.variants<ResultItem, 'outcome'>('outcome', {
  succeeded: read.record<Outcome<'succeeded'>>({
    ...fence,
    outcome: read.oneOf('succeeded'),
    body: read.json,
  }),
  failed: read.record<Outcome<'failed'>>({ ...fence, outcome: read.oneOf('failed'), error: brokerError }),
  cancelled: read.record<Outcome<'cancelled'>>({ ...fence, outcome: read.oneOf('cancelled') }),
});

const told = read.record<ProgressItem>({
  ...fence,
  fraction: read.nullable(read.number(0, 1)),
  note: read.nullable(read.text(LIMITS.progressNoteLength)),
});

const progressItem = read.reader(
  {
    ...told.shape,
    anyOf: [
      { required: ['fraction'], properties: { fraction: { type: 'number' } } },
      { required: ['note'], properties: { note: { type: 'string' } } },
    ],
  },
  (value, path): ProgressItem => {
    const item = told(value, path);
    if (item.fraction === null && item.note === null)
      throw new ProtocolError(`${path} must have a fraction or a note`);
    return item;
  },
);

const agentReport = read.record<AgentReport>({
  agentId: read.uuid,
  runId: read.uuid,
  phase: read.oneOf('starting', 'running', 'stopping', 'stopped', 'failed'),
  exitCode: read.nullable(read.integer(-1, 0xffff_ffff)),
  detail: read.nullable(message),
  // Left out by brokers that know of no restarts.
  restarts: read.orElse(read.integer(0, INTEGER_MOST), 0),
});

const traceparent = read.reader(
  { type: 'string', maxLength: 64, pattern: TRACEPARENT.source },
  (value, path) => {
    if (!isTraceparent(value)) throw new ProtocolError(`${path} must be a W3C traceparent`);
    return value;
  },
);

/** Of SHA-256, in lower-case hexadecimal digits. */
const DIGEST = /^[0-9a-f]{64}$/;

const digest = read.reader({ type: 'string', pattern: DIGEST.source }, (value, path) => {
  if (typeof value !== 'string' || !DIGEST.test(value))
    throw new ProtocolError(`${path} must be 64 lower-case hexadecimal digits`);
  return value;
});

const dispatchItem = read.record<DispatchItem>({
  ...fence,
  op: code,
  args: read.jsonObject,
  key: read.nullable(read.text()),
  remainingMs: read.integer(0),
  traceparent: read.optional(traceparent),
});

const attachments = read.list(
  read.record<AttachmentNotice>({
    project: read.uuid,
    name: read.text(LIMITS.labelLength),
    state: read.oneOf('registering', 'online', 'degraded', 'offline', 'revoked'),
    readOnly: read.flag,
  }),
  LIMITS.batch,
);

type FrameType = BrokerFrameType | HubFrameType;

function frame<T extends FrameType>(
  type: T,
  fields: read.Fields<Omit<FrameOf<T>, 't'>>,
): read.Reader<FrameOf<T>> {
  const t = read.reader({ const: type }, () => type);
  return read.record<FrameOf<T>>({ t, ...fields } as unknown as read.Fields<FrameOf<T>>);
}

/** What each frame that a broker may send is read by. */
export const BROKER_FRAMES: { readonly [T in BrokerFrameType]: read.Reader<FrameOf<T>> } = {
  hello: frame('hello', {
    protocol: read.record<{ min: number; max: number }>({ min: version, max: version }),
    bootId: read.uuid,
    journalId: read.uuid,
    lastEpoch: read.integer(0),
    software: read.keptText(64),
    capabilities,
    labels: read.labels,
    window: read.integer(1, LIMITS.windowMax),
    health,
    standby: read.optional(read.flag),
  }),
  promote: frame('promote', { lastEpoch: read.integer(0), capabilities, health }),
  inventory: frame('inventory', {
    entries: read.list(inventoryEntry, LIMITS.inventoryChunk),
    last: read.flag,
  }),
  heartbeat: frame('heartbeat', {
    health,
    load: read.nullable(read.finite),
    running: read.integer(0, INTEGER_MOST),
    agents: read.optional(digest),
  }),
  ack: frame('ack', { acks: attempts }),
  progress: frame('progress', { progress: read.list(progressItem, LIMITS.batch) }),
  result: frame('result', { results: read.list(resultItem, LIMITS.batch) }),
  event: frame('event', {
    agents: read.list(agentReport, LIMITS.batch),
    list: read.optional(read.oneOf('part', 'last')),
  }),
  capabilities: frame('capabilities', { revision: atLeastOne, capabilities }),
  goodbye: frame('goodbye', { reason: read.text() }),
};

/** Every frame that a broker may send. */
export const BROKER_FRAME_TYPES = Object.keys(BROKER_FRAMES) as readonly BrokerFrameType[];

/** What each frame that the hub may send is read by. */
export const HUB_FRAMES: { readonly [T in HubFrameType]: read.Reader<FrameOf<T>> } = {
  welcome: frame('welcome', {
    connectionId: read.uuid,
    brokerId: read.uuid,
    epoch: atLeastOne,
    protocol: atLeastOne,
    heartbeatMs: atLeastOne,
    livenessMs: atLeastOne,
    limits: read.record<Welcome['limits']>({
      frameBytes: atLeastOne,
      resultBytes: atLeastOne,
      window: atLeastOne,
    }),
    hubVersion: read.text(64),
    hubTime: read.text(64),
    alternatives,
    // Both are left out by hubs that are older.
    attachments: read.orElse(attachments, []),
    capabilitiesRevision: read.orElse(read.integer(0), 0),
  }),
  standby_ok: frame('standby_ok', { connectionId: read.uuid, livenessMs: atLeastOne, alternatives }),
  inventory_ok: frame('inventory_ok', {}),
  heartbeat_ack: frame('heartbeat_ack', {
    hubTime: read.text(64),
    alternatives: read.optional(alternatives),
  }),
  dispatch: frame('dispatch', { dispatches: read.list(dispatchItem, LIMITS.batch) }),
  cancel: frame('cancel', { cancels: attempts }),
  confirm: frame('confirm', { ids: read.list(read.uuid, LIMITS.batch) }),
  agents_wanted: frame('agents_wanted', {}),
  attachment: frame('attachment', { attachments }),
  capabilities_ack: frame('capabilities_ack', {
    revision: atLeastOne,
    stored: read.integer(0),
    error: read.nullable(read.record<NonNullable<CapabilitiesAck['error']>>({ code, message: read.text() })),
  }),
  going_away: frame('going_away', {
    reason: read.text(),
    deadlineMs: read.integer(0),
    slotMs: read.integer(0),
    alternatives,
  }),
};

/**
 * What a broker sent, as a frame.
 *
 * @throws ProtocolError for anything that is not a frame a broker may send
 */
export function parseBrokerFrame(encoded: string): BrokerFrame {
  return parse<BrokerFrame>(encoded, BROKER_FRAMES);
}

/**
 * What the hub sent, as a frame.
 *
 * @throws ProtocolError for anything that is not a frame the hub may send
 */
export function parseHubFrame(encoded: string): HubFrame {
  return parse<HubFrame>(encoded, HUB_FRAMES);
}

/**
 * What a broker sent, as a frame, where the JSON that it came in was read already.
 *
 * @throws ProtocolError for anything that is not a frame a broker may send
 */
export function readBrokerFrame(value: unknown): BrokerFrame {
  return frameOf<BrokerFrame>(value, BROKER_FRAMES);
}

/**
 * What the hub sent, likewise.
 *
 * @throws ProtocolError for anything that is not a frame the hub may send
 */
export function readHubFrame(value: unknown): HubFrame {
  return frameOf<HubFrame>(value, HUB_FRAMES);
}

function parse<F>(encoded: string, readers: Readonly<Record<string, read.Reader<F>>>): F {
  let value: unknown;
  try {
    value = JSON.parse(encoded);
  } catch {
    throw new ProtocolError('a frame must be JSON');
  }
  return frameOf(value, readers);
}

function frameOf<F>(value: unknown, readers: Readonly<Record<string, read.Reader<F>>>): F {
  const raw = read.object(value, 'frame');
  const type = raw.t;
  const of = typeof type === 'string' && Object.hasOwn(readers, type) ? readers[type] : undefined;
  if (of === undefined) throw new ProtocolError('unknown frame type');
  return of(raw, '');
}
