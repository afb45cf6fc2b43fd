import { describe, expect, it } from '@jest/globals';
import { FRAMES, ID } from '../../test/support/frames.js';
import { CLOSE_CODES, closeReason, type CloseReason } from './close-code.js';
import { LIMITS } from './limits.js';
import { contractOf, isOp, isOwnOp, NO_RESTART, OPS, OPS_HELD_TO_ACK, OPS_THAT_ASK, type Op } from './op.js';
import {
  BROKER_FRAME_TYPES,
  parseBrokerFrame,
  parseHubFrame,
  readBrokerFrame,
  readHubFrame,
} from './parse.js';
import { ProtocolError } from './protocol.error.js';
import { CONTROL_PATH, negotiate, PROTOCOL_RANGE } from './version.js';

type Sample = keyof typeof FRAMES;

const isOfBroker = ({ t }: { t: string }) => (BROKER_FRAME_TYPES as readonly string[]).includes(t);

const parse = (frame: { t: string }) => {
  const text = JSON.stringify(frame);
  return isOfBroker(frame) ? parseBrokerFrame(text) : parseHubFrame(text);
};

/** The frame with another value at a path such as `acks[0].id`. */
function changed(sample: Sample, path: string, value: unknown): { t: string } {
  const frame = structuredClone(FRAMES[sample]) as any;
  const steps = path.split(/[.[\]]+/).filter((step) => step !== '');
  const last = steps.pop()!;
  let at = frame;
  for (const step of steps) at = at[step];
  at[last] = value;
  return frame;
}

const x = (length: number) => 'x'.repeat(length);
const INTEGER_MOST = 0x7fff_ffff;
const WHOLE = (min: number, max: number = Number.MAX_SAFE_INTEGER) =>
  [`must be a whole number from ${min} to ${max}`, [min, max], [min - 1, max + 1, 1.5, '1', null]] as const;
const TEXT = (most: number) =>
  [`must be a string of at most ${most} characters`, ['', x(most)], [x(most + 1), 1, null]] as const;
const UUID = [
  'must be a lower-case uuid',
  [ID],
  [ID.toUpperCase(), `${ID}0`, `0${ID}`, x(36), [ID], 1, null],
] as const;
const ONE_OF = (...words: string[]) =>
  [`must be one of ${words.join(', ')}`, words, ['', 'x', null, 1]] as const;
const FLAG = ['must be true or false', [true, false], [0, 'true', null]] as const;
const LIST = (most: number, item: unknown) =>
  [
    `must be a list of at most ${most}`,
    [[], Array.from({ length: most }, () => item)],
    [Array.from({ length: most + 1 }, () => item), {}, 'x', null],
  ] as const;
const OBJECT = ['must be an object', [{}], [[], 'x', 1, null]] as const;
const ATTEMPT = WHOLE(1, INTEGER_MOST);

type Rule = readonly [rule: string, allowed: readonly unknown[], refused: readonly unknown[]];
const FIELDS: [Sample, string, Rule][] = [
  ['hello', 'protocol.min', WHOLE(0, 1000)],
  ['hello', 'protocol.max', WHOLE(0, 1000)],
  ['hello', 'protocol', ['must be an object', [], [[], 'x', 1, null]]],
  ['hello', 'bootId', UUID],
  ['hello', 'journalId', UUID],
  ['hello', 'lastEpoch', WHOLE(0)],
  ['hello', 'software', TEXT(64)],
  ['hello', 'capabilities', LIST(LIMITS.capabilities, 'a')],
  ['hello', 'capabilities[0]', TEXT(LIMITS.labelLength)],
  ['hello', 'labels', OBJECT],
  ['hello', 'labels.zone', TEXT(LIMITS.labelLength)],
  ['hello', 'window', WHOLE(1, LIMITS.windowMax)],
  ['hello', 'health', ONE_OF('online', 'degraded')],
  ['hello', 'standby', FLAG],
  ['promote', 'lastEpoch', WHOLE(0)],
  ['promote', 'capabilities', LIST(LIMITS.capabilities, 'a')],
  ['promote', 'health', ONE_OF('online', 'degraded')],
  ['inventory', 'entries', LIST(LIMITS.inventoryChunk, FRAMES.inventory.entries[0])],
  ['inventory', 'entries[0]', ['must be an object', [], ['x', [], null]]],
  ['inventory', 'entries[0].id', UUID],
  ['inventory', 'entries[0].attempt', ATTEMPT],
  ['inventory', 'entries[0].status', ONE_OF('running', 'ended', 'lost')],
  ['inventory', 'last', FLAG],
  ['heartbeat', 'health', ONE_OF('online', 'degraded')],
  ['heartbeat', 'load', ['must be a number', [0, -1, 1.5, null], ['1', [], {}]]],
  ['heartbeat', 'running', WHOLE(0, INTEGER_MOST)],
  [
    'heartbeat',
    'agents',
    [
      'must be 64 lower-case hexadecimal digits',
      ['0'.repeat(64)],
      ['', '0'.repeat(63), '0'.repeat(65), 'A'.repeat(64), 1, null],
    ],
  ],
  ['ack', 'acks', LIST(LIMITS.batch, FRAMES.ack.acks[0])],
  ['ack', 'acks[0]', ['must be an object', [], ['x', [], null]]],
  ['ack', 'acks[0].id', UUID],
  ['ack', 'acks[0].attempt', ATTEMPT],
  ['succeeded', 'results', LIST(LIMITS.batch, FRAMES.succeeded.results[0])],
  ['succeeded', 'results[0]', ['must be an object', [], ['x', [], null]]],
  ['succeeded', 'results[0].id', UUID],
  ['succeeded', 'results[0].attempt', ATTEMPT],
  ['cancelled', 'results[0].outcome', ['must be one of succeeded, failed, cancelled', [], ['', 'x', null]]],
  ['failed', 'results[0].error', ['must be an object', [], ['x', [], null]]],
  ['failed', 'results[0].error.code', TEXT(128)],
  ['failed', 'results[0].error.message', TEXT(LIMITS.messageLength)],
  ['failed', 'results[0].error.retryable', FLAG],
  ['failed', 'results[0].error.data', OBJECT],
  ['event', 'agents', LIST(LIMITS.batch, FRAMES.event.agents[0])],
  ['event', 'agents[0]', ['must be an object', [], ['x', [], null]]],
  ['event', 'agents[0].agentId', UUID],
  ['event', 'agents[0].runId', UUID],
  ['event', 'agents[0].phase', ONE_OF('starting', 'running', 'stopping', 'stopped', 'failed')],
  ['event', 'agents[0].exitCode', ['must be a whole number from -1 to 4294967295', [-1, null], [-2, '1']]],
  ['event', 'agents[0].detail', ['must be a string of at most 4096', ['', null], [x(4_097), 1]]],
  ['event', 'agents[0].restarts', ['must be a whole number from 0 to 2147483647', [0], [-1, '1']]],
  ['event', 'list', ['must be one of part, last', ['last'], ['', 'first', 1, true]]],
  ['capabilities', 'revision', WHOLE(1)],
  ['capabilities', 'capabilities', LIST(LIMITS.capabilities, 'a')],
  ['capabilities', 'capabilities[0]', TEXT(LIMITS.labelLength)],
  ['goodbye', 'reason', TEXT(LIMITS.textLength)],
  ['welcome', 'connectionId', UUID],
  ['welcome', 'brokerId', UUID],
  ['welcome', 'epoch', WHOLE(1)],
  ['welcome', 'protocol', WHOLE(1)],
  ['welcome', 'heartbeatMs', WHOLE(1)],
  ['welcome', 'livenessMs', WHOLE(1)],
  ['welcome', 'limits', ['must be an object', [], ['x', [], null]]],
  ['welcome', 'limits.frameBytes', WHOLE(1)],
  ['welcome', 'limits.resultBytes', WHOLE(1)],
  ['welcome', 'limits.window', WHOLE(1)],
  ['welcome', 'hubVersion', TEXT(64)],
  ['welcome', 'hubTime', TEXT(64)],
  ['welcome', 'alternatives', LIST(64, 'https://a')],
  ['welcome', 'alternatives[0]', TEXT(LIMITS.textLength)],
  ['welcome', 'attachments', ['must be a list of at most 1024', [[]], [{}, 'x']]],
  ['welcome', 'capabilitiesRevision', ['must be a whole number from 0', [0], [-1, 1.5, '1']]],
  ['standby_ok', 'connectionId', UUID],
  ['standby_ok', 'livenessMs', WHOLE(1)],
  ['standby_ok', 'alternatives', LIST(64, 'https://a')],
  ['attachment', 'attachments', LIST(LIMITS.batch, FRAMES.attachment.attachments[0])],
  ['attachment', 'attachments[0]', ['must be an object', [], ['x', [], null]]],
  ['attachment', 'attachments[0].project', UUID],
  ['attachment', 'attachments[0].name', TEXT(LIMITS.labelLength)],
  ['attachment', 'attachments[0].state', ONE_OF('registering', 'online', 'degraded', 'offline', 'revoked')],
  ['attachment', 'attachments[0].readOnly', FLAG],
  ['progress', 'progress', LIST(LIMITS.batch, FRAMES.progress.progress[0])],
  ['progress', 'progress[0]', ['must be an object', [], ['x', [], null]]],
  ['progress', 'progress[0].id', UUID],
  ['progress', 'progress[0].attempt', ATTEMPT],
  ['progress', 'progress[0].fraction', ['must be a number from 0 to 1', [0, 1, null], [-0.1, 1.1, '1']]],
  ['progress', 'progress[0].note', ['must be a string of at most 512', ['', x(512), null], [x(513), 1]]],
  ['heartbeat_ack', 'hubTime', TEXT(64)],
  ['heartbeat_ack', 'alternatives', LIST(64, 'https://a')],
  ['heartbeat_ack', 'alternatives[0]', TEXT(LIMITS.textLength)],
  ['dispatch', 'dispatches', LIST(LIMITS.batch, FRAMES.dispatch.dispatches[0])],
  ['dispatch', 'dispatches[0]', ['must be an object', [], ['x', [], null]]],
  ['dispatch', 'dispatches[0].id', UUID],
  ['dispatch', 'dispatches[0].attempt', ATTEMPT],
  ['dispatch', 'dispatches[0].op', TEXT(128)],
  ['dispatch', 'dispatches[0].args', OBJECT],
  ['dispatch', 'dispatches[0].key', ['must be a string of at most 512', ['', null], [x(513), 1]]],
  ['dispatch', 'dispatches[0].remainingMs', WHOLE(0)],
  ['dispatch', 'dispatches[0].traceparent', ['must be a W3C traceparent', [], ['', 1, null]]],
  ['cancel', 'cancels', LIST(LIMITS.batch, FRAMES.cancel.cancels[0])],
  ['cancel', 'cancels[0].id', UUID],
  ['confirm', 'ids', LIST(LIMITS.batch, ID)],
  ['confirm', 'ids[0]', UUID],
  ['capabilities_ack', 'revision', WHOLE(1)],
  ['capabilities_ack', 'stored', WHOLE(0)],
  ['capabilities_ack', 'error', ['must be an object', [null], ['x', []]]],
  ['capabilities_ack', 'error.code', TEXT(128)],
  ['capabilities_ack', 'error.message', TEXT(LIMITS.textLength)],
  ['going_away', 'reason', TEXT(LIMITS.textLength)],
  ['going_away', 'deadlineMs', WHOLE(0)],
  ['going_away', 'slotMs', WHOLE(0)],
  ['going_away', 'alternatives', LIST(64, 'https://a')],
];

describe('a frame of each type', () => {
  it.each(Object.keys(FRAMES) as Sample[])(
    '%s comes out as it went in, and nothing else with it',
    (sample) => {
      const frame = FRAMES[sample];

      expect(parse(frame)).toEqual(frame);
      expect(parse(Object.assign({ surplus: 1 }, frame))).toEqual(frame);
      expect(isOfBroker(frame) ? readBrokerFrame(frame) : readHubFrame(frame)).toEqual(frame);
    },
  );

  it.each(FIELDS)('%s has in %s what it may have, to the edge, and nothing past it', (sample, path, rule) => {
    const [told, allowed, refused] = rule;

    for (const value of allowed) {
      const frame = changed(sample, path, value);
      expect(parse(frame)).toEqual(frame);
    }
    for (const value of refused) {
      const taking = () => parse(changed(sample, path, value));
      expect(taking).toThrow(ProtocolError);
      expect(taking).toThrow(`${path} ${told}`);
    }
  });

  it('has as many labels as it may have, of which neither side is too long', () => {
    const labels = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`l${at}`, '']));
    const taking = (given: object) => () => parse(changed('hello', 'labels', given));

    expect(taking(labels(LIMITS.labels))).not.toThrow();
    expect(taking(labels(LIMITS.labels + 1))).toThrow('labels must have at most 64 entries');
    expect(taking({ [x(129)]: '' })).toThrow('labels key must be a string of at most 128 characters');
    expect(taking({ [x(128)]: 1 })).toThrow(`labels.${x(128)} must be`);
  });

  it.each<[Sample, string]>([
    ['hello', 'software'],
    ['hello', 'capabilities[0]'],
    ['hello', 'labels.zone'],
    ['capabilities', 'capabilities[0]'],
  ])('%s has in %s whole characters alone, as they are stored, and no NUL', (sample, path) => {
    const taking = (value: string) => () => parse(changed(sample, path, value));

    for (const value of ['ü', '\u{1f600}', '\n', '\ufffd']) expect(taking(value)).not.toThrow();
    for (const value of ['a\0', '\ud800', 'a\udc00b', '\udc00\ud800']) {
      expect(taking(value)).toThrow(ProtocolError);
      expect(taking(value)).toThrow(`${path} must have no NUL and no half of a surrogate pair`);
    }
  });

  it('has no label whose name could not be stored either', () => {
    for (const name of ['a\0', '\ud800'])
      expect(() => parse(changed('hello', 'labels', { [name]: '' }))).toThrow(
        'labels key must have no NUL and no half of a surrogate pair',
      );
  });

  it('may leave out what brokers of before did not know of', () => {
    const { restarts: _unknown, ...agent } = FRAMES.event.agents[0];

    expect(parse({ t: 'event', agents: [agent] } as { t: string })).toMatchObject({
      agents: [{ restarts: 0 }],
    });
    const error = { code: 'c', message: 'm', retryable: true };
    const result = { id: ID, attempt: 1, outcome: 'failed', error };
    expect(parse({ t: 'result', results: [result] } as { t: string })).toEqual({
      t: 'result',
      results: [result],
    });
    const { body: _none, ...succeeded } = FRAMES.succeeded.results[0];
    expect(parse({ t: 'result', results: [succeeded] } as { t: string })).toMatchObject({
      results: [{ body: null }],
    });
  });

  it('is one object with a type', () => {
    for (const text of ['', '{', 'nul']) expect(() => parseBrokerFrame(text)).toThrow('a frame must be JSON');
    for (const text of ['[]', '1', 'null']) {
      expect(() => parseHubFrame(text)).toThrow('frame must be an object');
    }
    for (const text of ['{}', '{"t":1}', '{"t":"ack"}']) {
      expect(() => parseHubFrame(text)).toThrow('unknown frame type');
    }
    expect(new ProtocolError('x')).toMatchObject({ name: 'ProtocolError', reason: 'protocol_error' });
  });
});

describe('the end of a link', () => {
  it.each<[CloseReason, number]>([
    ['goodbye', 1000],
    ['going_away', 1001],
    ['framing_error', 1002],
    ['text_error', 1007],
    ['frame_too_large', 1009],
    ['protocol_error', 4400],
    ['credential_expired', 4401],
    ['revoked', 4403],
    ['timed_out', 4408],
    ['displaced', 4409],
    ['version_refused', 4426],
    ['slow_consumer', 4429],
    ['registry_unavailable', 4503],
  ])('by %s has the code %d for good', (reason, code) => {
    expect(CLOSE_CODES[reason]).toBe(code);
    expect(closeReason(code)).toBe(reason);
  });

  it('by a code that is not of the protocol has no reason', () => {
    expect(closeReason(1006)).toBeUndefined();
  });
});

describe('a version', () => {
  it('is spoken at one path', () => {
    expect(CONTROL_PATH).toBe('/api/v1/control');
  });

  const { min, max } = PROTOCOL_RANGE;

  it.each([
    [min, max, max],
    [min, max + 5, max],
    [0, min, min],
    [max, max, max],
    [max + 1, max + 5, undefined],
    [0, min - 1, undefined],
  ])('from %d to %d is met at %s', (from, to, met) => {
    expect(negotiate({ min: from, max: to })).toBe(met);
  });
});

describe('an op', () => {
  it('is what stands in the table, and no member that every object has', () => {
    for (const op of Object.keys(OPS)) expect(isOp(op)).toBe(true);
    for (const name of ['toString', '__proto__', '', 'agent']) expect(isOp(name)).toBe(false);
  });

  it.each(['x.build', 'x.report.build', 'x.shop.order_2.re-try', `x.${'y'.repeat(126)}`])(
    "may be one of one's own, %s, for whoever announces it",
    (name) => {
      expect([isOwnOp(name), isOp(name), Object.keys(OPS).includes(name)]).toEqual([true, true, false]);
      expect(contractOf(name as Op)).toEqual({
        repeatable: false,
        holds: 'result',
        wait: 'fixed',
        secrets: [],
        capability: name,
      });
    },
  );

  it.each([
    'x',
    'x.',
    'x.Build',
    'x..build',
    'x.report.',
    'x.2',
    'X.build',
    'report.build',
    'xx.build',
    'agent.x.build',
    'runtime.process',
    'agent.eat',
    `x.${'y'.repeat(127)}`,
  ])('is not %s, and nothing is promised for it', (name) => {
    expect([isOwnOp(name), isOp(name)]).toEqual([false, false]);
  });

  it('is waited for as long as its first window where it only asks or ends, and anew with each progress where it works', () => {
    const waits = Object.entries(OPS).map(([op, { wait }]) => [op, wait]);

    expect(Object.fromEntries(waits)).toEqual({
      'broker.ping': 'fixed',
      'agent.start': 'rolling',
      'agent.stop': 'fixed',
      'agent.restart': 'rolling',
      'agent.delete': 'fixed',
      'agent.logs': 'fixed',
      'agent.message': 'rolling',
      'agent.inspect': 'fixed',
    });
  });

  it('only asks for data where a broker may be given it that is read-only', () => {
    expect(OPS_THAT_ASK).toEqual(['broker.ping', 'agent.logs', 'agent.inspect']);
  });

  it('lets go of its key with the ack where it is a message, and nowhere else', () => {
    expect(OPS_HELD_TO_ACK).toEqual(['agent.message']);
  });

  it.each(['agent.start', 'agent.restart', 'agent.message'] as const)('%s is never done twice', (op) => {
    expect(OPS[op].repeatable).toBe(false);
  });

  it.each(['broker.ping', 'agent.stop', 'agent.delete', 'agent.logs', 'agent.inspect'] as const)(
    '%s may be done again',
    (op) => {
      expect(OPS[op].repeatable).toBe(true);
    },
  );

  it('holds its key to the result, and has nothing to seal, where nothing else is said', () => {
    const { 'agent.message': message, 'agent.start': start, 'agent.restart': restart, ...others } = OPS;

    for (const { holds } of [start, restart, ...Object.values(others)]) expect(holds).toBe('result');
    for (const { secrets } of [message, ...Object.values(others)]) expect(secrets).toEqual([]);
  });

  it('that starts a process starts it once where nothing else is asked for', () => {
    expect(NO_RESTART).toEqual({ policy: 'never', maxRestarts: 10 });
  });

  it('that starts a process keeps its environment sealed, and needs a broker that runs processes', () => {
    for (const op of ['agent.start', 'agent.restart'] as const) {
      expect(OPS[op]).toMatchObject({ secrets: ['spec.environment'], capability: 'runtime.process' });
    }
    expect(OPS['broker.ping'].capability).toBeNull();
    const agents = Object.entries(OPS).filter(([op]) => op.startsWith('agent.'));
    for (const [, { capability }] of agents) expect(capability).toBe('runtime.process');
  });
});
