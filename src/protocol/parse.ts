/**
 * Text to frame, once, at the edge. What comes out is exactly a frame's fields; what cannot be read throws a
 * ProtocolError, and the link closes with its reason.
 */
import type {
  AgentReport,
  AttachmentNotice,
  BrokerError,
  BrokerFrame,
  BrokerFrameType,
  DispatchItem,
  HubFrame,
  InventoryEntry,
  ProgressItem,
  ResultItem,
} from './frame.js';
import { LIMITS } from './limits.js';
import { ProtocolError } from './protocol.error.js';
import * as read from './read.js';
import { isTraceparent } from './traceparent.js';

type Raw = Record<string, unknown>;

/** PostgreSQL's integer: what it cannot hold must not fail the statement that others' words share. */
const INTEGER_MOST = 0x7fff_ffff;
const attempt = read.integer(1, INTEGER_MOST);
const code = read.text(128);
const message = read.text(LIMITS.messageLength);
const alternatives = read.list(read.text(), 64);
const range: read.Reader<{ min: number; max: number }> = (value, path) => {
  const raw = read.object(value, path);
  return {
    min: read.integer(0, 1000)(raw.min, `${path}.min`),
    max: read.integer(0, 1000)(raw.max, `${path}.max`),
  };
};

const inventoryEntry: read.Reader<InventoryEntry> = (value, path) => {
  const raw = read.object(value, path);
  return {
    id: read.uuid(raw.id, `${path}.id`),
    attempt: attempt(raw.attempt, `${path}.attempt`),
    status: read.oneOf('running', 'ended', 'lost')(raw.status, `${path}.status`),
  };
};

const ackItem: read.Reader<{ id: string; attempt: number }> = (value, path) => {
  const raw = read.object(value, path);
  return { id: read.uuid(raw.id, `${path}.id`), attempt: attempt(raw.attempt, `${path}.attempt`) };
};

const brokerError: read.Reader<BrokerError> = (value, path) => {
  const raw = read.object(value, path);
  return {
    code: code(raw.code, `${path}.code`),
    message: message(raw.message, `${path}.message`),
    retryable: read.flag(raw.retryable, `${path}.retryable`),
    ...(raw.data === undefined ? {} : { data: read.jsonObject(raw.data, `${path}.data`) }),
  };
};

const resultItem: read.Reader<ResultItem> = (value, path) => {
  const raw = read.object(value, path);
  const outcome = read.oneOf('succeeded', 'failed', 'cancelled')(raw.outcome, `${path}.outcome`);
  const fence = ackItem(raw, path);
  if (outcome === 'cancelled') return { ...fence, outcome };
  return outcome === 'succeeded'
    ? { ...fence, outcome, body: read.json(raw.body, `${path}.body`) }
    : { ...fence, outcome, error: brokerError(raw.error, `${path}.error`) };
};

const fraction = read.nullable(read.number(0, 1));
const note = read.nullable(read.text(LIMITS.progressNoteLength));

const progressItem: read.Reader<ProgressItem> = (value, path) => {
  const raw = read.object(value, path);
  const told = {
    ...ackItem(raw, path),
    fraction: fraction(raw.fraction, `${path}.fraction`),
    note: note(raw.note, `${path}.note`),
  };
  if (told.fraction === null && told.note === null)
    throw new ProtocolError(`${path} must have a fraction or a note`);
  return told;
};

const agentReport: read.Reader<AgentReport> = (value, path) => {
  const raw = read.object(value, path);
  return {
    agentId: read.uuid(raw.agentId, `${path}.agentId`),
    runId: read.uuid(raw.runId, `${path}.runId`),
    phase: read.oneOf('starting', 'running', 'stopping', 'stopped', 'failed')(raw.phase, `${path}.phase`),
    exitCode: read.nullable(read.integer(-1, 0xffff_ffff))(raw.exitCode, `${path}.exitCode`),
    detail: read.nullable(message)(raw.detail, `${path}.detail`),
    // Left out by brokers that know of no restarts.
    restarts: read.nullable(read.integer(0, INTEGER_MOST))(raw.restarts, `${path}.restarts`) ?? 0,
  };
};

const traceparent: read.Reader<string> = (value, path) => {
  if (!isTraceparent(value)) throw new ProtocolError(`${path} must be a W3C traceparent`);
  return value;
};

const dispatchItem: read.Reader<DispatchItem> = (value, path) => {
  const raw = read.object(value, path);
  return {
    id: read.uuid(raw.id, `${path}.id`),
    attempt: attempt(raw.attempt, `${path}.attempt`),
    op: code(raw.op, `${path}.op`),
    args: read.jsonObject(raw.args, `${path}.args`),
    key: read.nullable(read.text())(raw.key, `${path}.key`),
    remainingMs: read.integer(0)(raw.remainingMs, `${path}.remainingMs`),
    ...(raw.traceparent === undefined
      ? {}
      : { traceparent: traceparent(raw.traceparent, `${path}.traceparent`) }),
  };
};

const attachmentNotice: read.Reader<AttachmentNotice> = (value, path) => {
  const raw = read.object(value, path);
  return {
    project: read.uuid(raw.project, `${path}.project`),
    name: read.text(LIMITS.labelLength)(raw.name, `${path}.name`),
    state: read.oneOf('registering', 'online', 'degraded', 'offline', 'revoked')(raw.state, `${path}.state`),
    readOnly: read.flag(raw.readOnly, `${path}.readOnly`),
  };
};
const attachments = read.list(attachmentNotice, LIMITS.batch);

const BROKER_FRAMES: { [T in BrokerFrame['t']]: (raw: Raw) => Extract<BrokerFrame, { t: T }> } = {
  hello: (raw) => ({
    t: 'hello',
    protocol: range(raw.protocol, 'protocol'),
    bootId: read.uuid(raw.bootId, 'bootId'),
    journalId: read.uuid(raw.journalId, 'journalId'),
    lastEpoch: read.integer(0)(raw.lastEpoch, 'lastEpoch'),
    software: read.text(64)(raw.software, 'software'),
    capabilities: read.list(read.text(LIMITS.labelLength), LIMITS.capabilities)(
      raw.capabilities,
      'capabilities',
    ),
    labels: read.labels(raw.labels, 'labels'),
    window: read.integer(1, LIMITS.windowMax)(raw.window, 'window'),
    health: read.oneOf('online', 'degraded')(raw.health, 'health'),
  }),
  inventory: (raw) => ({
    t: 'inventory',
    entries: read.list(inventoryEntry, LIMITS.inventoryChunk)(raw.entries, 'entries'),
    last: read.flag(raw.last, 'last'),
  }),
  heartbeat: (raw) => ({
    t: 'heartbeat',
    health: read.oneOf('online', 'degraded')(raw.health, 'health'),
    load: read.nullable(read.finite)(raw.load, 'load'),
    running: read.integer(0, INTEGER_MOST)(raw.running, 'running'),
  }),
  ack: (raw) => ({ t: 'ack', acks: read.list(ackItem, LIMITS.batch)(raw.acks, 'acks') }),
  progress: (raw) => ({
    t: 'progress',
    progress: read.list(progressItem, LIMITS.batch)(raw.progress, 'progress'),
  }),
  result: (raw) => ({ t: 'result', results: read.list(resultItem, LIMITS.batch)(raw.results, 'results') }),
  event: (raw) => ({ t: 'event', agents: read.list(agentReport, LIMITS.batch)(raw.agents, 'agents') }),
  goodbye: (raw) => ({ t: 'goodbye', reason: read.text()(raw.reason, 'reason') }),
};

/** Every frame that a broker may send. */
export const BROKER_FRAME_TYPES = Object.keys(BROKER_FRAMES) as readonly BrokerFrameType[];

const HUB_FRAMES: { [T in HubFrame['t']]: (raw: Raw) => Extract<HubFrame, { t: T }> } = {
  welcome: (raw) => {
    const limits = read.object(raw.limits, 'limits');
    return {
      t: 'welcome',
      connectionId: read.uuid(raw.connectionId, 'connectionId'),
      brokerId: read.uuid(raw.brokerId, 'brokerId'),
      epoch: read.integer(1)(raw.epoch, 'epoch'),
      protocol: read.integer(1)(raw.protocol, 'protocol'),
      heartbeatMs: read.integer(1)(raw.heartbeatMs, 'heartbeatMs'),
      livenessMs: read.integer(1)(raw.livenessMs, 'livenessMs'),
      limits: {
        frameBytes: read.integer(1)(limits.frameBytes, 'limits.frameBytes'),
        resultBytes: read.integer(1)(limits.resultBytes, 'limits.resultBytes'),
        window: read.integer(1)(limits.window, 'limits.window'),
      },
      hubVersion: read.text(64)(raw.hubVersion, 'hubVersion'),
      hubTime: read.text(64)(raw.hubTime, 'hubTime'),
      alternatives: alternatives(raw.alternatives, 'alternatives'),
      // Left out by hubs that know of no projects.
      attachments: attachments(raw.attachments ?? [], 'attachments'),
    };
  },
  inventory_ok: () => ({ t: 'inventory_ok' }),
  heartbeat_ack: (raw) => ({ t: 'heartbeat_ack', hubTime: read.text(64)(raw.hubTime, 'hubTime') }),
  dispatch: (raw) => ({
    t: 'dispatch',
    dispatches: read.list(dispatchItem, LIMITS.batch)(raw.dispatches, 'dispatches'),
  }),
  cancel: (raw) => ({ t: 'cancel', cancels: read.list(ackItem, LIMITS.batch)(raw.cancels, 'cancels') }),
  confirm: (raw) => ({ t: 'confirm', ids: read.list(read.uuid, LIMITS.batch)(raw.ids, 'ids') }),
  attachment: (raw) => ({ t: 'attachment', attachments: attachments(raw.attachments, 'attachments') }),
  going_away: (raw) => ({
    t: 'going_away',
    reason: read.text()(raw.reason, 'reason'),
    deadlineMs: read.integer(0)(raw.deadlineMs, 'deadlineMs'),
    slotMs: read.integer(0)(raw.slotMs, 'slotMs'),
    alternatives: alternatives(raw.alternatives, 'alternatives'),
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

function parse<F>(encoded: string, readers: Record<string, (raw: Raw) => F>): F {
  let value: unknown;
  try {
    value = JSON.parse(encoded);
  } catch {
    throw new ProtocolError('a frame must be JSON');
  }
  const raw = read.object(value, 'frame');
  const type = raw.t;
  if (typeof type !== 'string' || !Object.hasOwn(readers, type))
    throw new ProtocolError('unknown frame type');
  const reader = readers[type];
  if (reader === undefined) throw new ProtocolError('unknown frame type');
  return reader(raw);
}
