/** The limits of the wire, each with a frame that is as large as it is told: taken at the limit, and not one past it. */
import { randomUUID } from 'node:crypto';
import { CLOSE_CODES } from '../../src/protocol/close-code.js';
import { LIMITS } from '../../src/protocol/limits.js';

type Frame = { t: string; [field: string]: unknown };

const ID = randomUUID();
export const item = { id: ID, attempt: 1 };
const agent = { agentId: ID, runId: ID, phase: 'running', exitCode: null, detail: null, restarts: 0 };
export const x = (length: number) => 'x'.repeat(length);
const many = <T>(count: number, each: (place: number) => T) =>
  Array.from({ length: count }, (_none, at) => each(at));
const labels = (count: number) => Object.fromEntries(many(count, (at) => [`l${at}`, '']));
const failed = (error: object) => ({
  t: 'result',
  results: [{ ...item, outcome: 'failed', error: { code: 'c', message: 'm', retryable: false, ...error } }],
});
/** A frame of so many bytes, by a field that is not known. */
export const ofBytes = (frame: Frame, bytes: number) => ({
  ...frame,
  surplus: x(bytes - JSON.stringify({ ...frame, surplus: '' }).length),
});
export const beat = { t: 'heartbeat', health: 'online', load: null, running: 0 };

type Limit = [what: string, at: number, frame: (size: number) => Frame, closing: number];

/** Of the first frame; what is not told of it is as usual. */
export const OF_HELLO: [what: string, at: number, hello: (size: number) => object][] = [
  ['entries of labels', LIMITS.labels, (count) => ({ labels: labels(count) })],
  ["characters of a label's value", LIMITS.labelLength, (length) => ({ labels: { l: x(length) } })],
  ["characters of a label's name", LIMITS.labelLength, (length) => ({ labels: { [x(length)]: '' } })],
  ['capabilities', LIMITS.capabilities, (count) => ({ capabilities: many(count, (at) => `c${at}`) })],
  ['characters of a capability', LIMITS.labelLength, (length) => ({ capabilities: [x(length)] })],
  ['commands in the window', LIMITS.windowMax, (window) => ({ window })],
  ['characters of the software', 64, (length) => ({ software: x(length) })],
];

/** Of the frame that makes a link of one that is held ready; past each the close code is 4400. */
export const OF_PROMOTE: [what: string, at: number, promote: (size: number) => object][] = [
  ['capabilities', LIMITS.capabilities, (count) => ({ capabilities: many(count, (at) => `c${at}`) })],
  ['characters of a capability', LIMITS.labelLength, (length) => ({ capabilities: [x(length)] })],
  ['an epoch of its own word', LIMITS.believedMost, (lastEpoch) => ({ lastEpoch })],
];

/** Of the frames that follow, and the close code past it. */
export const OF_FRAMES: Limit[] = [
  ['bytes of a frame', LIMITS.frameBytes, (bytes) => ofBytes(beat, bytes), CLOSE_CODES.frame_too_large],
  [
    'entries of an inventory chunk',
    LIMITS.inventoryChunk,
    (count) => ({
      t: 'inventory',
      entries: many(count, () => ({ ...item, status: 'running' })),
      last: false,
    }),
    CLOSE_CODES.protocol_error,
  ],
  [
    'acks',
    LIMITS.batch,
    (count) => ({ t: 'ack', acks: many(count, () => item) }),
    CLOSE_CODES.protocol_error,
  ],
  [
    'words of progress',
    LIMITS.batch,
    (count) => ({ t: 'progress', progress: many(count, () => ({ ...item, fraction: 0.5 })) }),
    CLOSE_CODES.protocol_error,
  ],
  [
    'characters of a note',
    LIMITS.progressNoteLength,
    (length) => ({ t: 'progress', progress: [{ ...item, note: x(length) }] }),
    CLOSE_CODES.protocol_error,
  ],
  [
    'results',
    LIMITS.batch,
    (count) => ({
      t: 'result',
      results: many(count, () => ({ id: randomUUID(), attempt: 1, outcome: 'cancelled' })),
    }),
    CLOSE_CODES.protocol_error,
  ],
  [
    "characters of an error's message",
    LIMITS.messageLength,
    (length) => failed({ message: x(length) }),
    CLOSE_CODES.protocol_error,
  ],
  ["characters of an error's code", 128, (length) => failed({ code: x(length) }), CLOSE_CODES.protocol_error],
  [
    'reports of agents',
    LIMITS.batch,
    (count) => ({ t: 'event', agents: many(count, () => agent) }),
    CLOSE_CODES.protocol_error,
  ],
  [
    "characters of an agent's detail",
    LIMITS.messageLength,
    (length) => ({ t: 'event', agents: [{ ...agent, detail: x(length) }] }),
    CLOSE_CODES.protocol_error,
  ],
  [
    'capabilities told later',
    LIMITS.capabilities,
    (count) => ({ t: 'capabilities', revision: 1, capabilities: many(count, (at) => `c${at}`) }),
    CLOSE_CODES.protocol_error,
  ],
  [
    'characters of a capability told later',
    LIMITS.labelLength,
    (length) => ({ t: 'capabilities', revision: 1, capabilities: [x(length)] }),
    CLOSE_CODES.protocol_error,
  ],
];
