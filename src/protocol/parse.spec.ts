import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LIMITS } from './limits.js';
import { parseBrokerFrame, parseHubFrame, readBrokerFrame } from './parse.js';
import { ProtocolError } from './protocol.error.js';

const uuid = fc.uuid();
const acks = fc.record({
  t: fc.constant('ack'),
  acks: fc.array(fc.record({ id: uuid, attempt: fc.integer({ min: 1 }) })),
});
const heartbeats = fc.record({
  t: fc.constant('heartbeat'),
  health: fc.constantFrom('online', 'degraded'),
  load: fc.option(fc.float({ noNaN: true, noDefaultInfinity: true })),
  running: fc.nat(),
});
const inventories = fc.record({
  t: fc.constant('inventory'),
  entries: fc.array(
    fc.record({
      id: uuid,
      attempt: fc.integer({ min: 1 }),
      status: fc.constantFrom('running', 'ended', 'lost'),
    }),
  ),
  last: fc.boolean(),
});

describe('a frame', () => {
  it('comes out as it went in', () => {
    fc.assert(
      fc.property(fc.oneof(acks, heartbeats, inventories), (frame) => {
        const text = JSON.stringify(frame);
        expect(parseBrokerFrame(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    { t: ['goodbye'], reason: 'done' },
    { t: 'heartbeat', health: 'online', running: 0, agents: ['a'.repeat(64)] },
  ])('is refused where a list stands for the word in it: %j', (frame) => {
    expect(() => readBrokerFrame(frame)).toThrow(ProtocolError);
  });

  it('is taken without the fields that it should not have', () => {
    const frame = { t: 'goodbye', reason: 'done', surplus: true };

    expect(parseBrokerFrame(JSON.stringify(frame))).toEqual({ t: 'goodbye', reason: 'done' });
  });

  it('that is anything else is refused as a protocol error, and by nothing but that', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        for (const parse of [parseBrokerFrame, parseHubFrame]) {
          expect(() => parse(text)).toThrow(ProtocolError);
        }
      }),
    );
  });

  it.each([
    ['toString', '{"t":"toString"}'],
    ['__proto__', '{"t":"__proto__"}'],
    ['a type of the other side', '{"t":"welcome"}'],
  ])('of type %s is unknown to the hub', (_what, text) => {
    expect(() => parseBrokerFrame(text)).toThrow('unknown frame type');
  });

  const dispatch = (part: object) => {
    const item = { id: '0198b2c0-0000-7000-8000-000000000000', attempt: 1, op: 'broker.ping', args: {} };
    return JSON.stringify({ t: 'dispatch', dispatches: [{ ...item, key: null, remainingMs: 1, ...part }] });
  };

  it('carries the trace context of a command where it has one', () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

    expect(parseHubFrame(dispatch({ traceparent }))).toMatchObject({ dispatches: [{ traceparent }] });
    expect(parseHubFrame(dispatch({}))).not.toHaveProperty('dispatches.0.traceparent');
    expect(() => parseHubFrame(dispatch({ traceparent: 'x'.repeat(65) }))).toThrow(
      'dispatches[0].traceparent must be a W3C traceparent',
    );
  });

  const progress = (part: object) => {
    const item = { id: '0198b2c0-0000-7000-8000-000000000000', attempt: 1, ...part };
    return JSON.stringify({ t: 'progress', progress: [item] });
  };

  it('tells how far a command is, as a part of 1, in words, or both', () => {
    const note = 'x'.repeat(LIMITS.progressNoteLength);

    expect(parseBrokerFrame(progress({ fraction: 0 }))).toMatchObject({
      progress: [{ fraction: 0, note: null }],
    });
    expect(parseBrokerFrame(progress({ fraction: 1, note }))).toMatchObject({
      progress: [{ fraction: 1, note }],
    });
  });

  it.each([
    ['more than the whole', { fraction: 1.000_001 }, 'fraction must be a number from 0 to 1'],
    ['less than nothing', { fraction: -0.1 }, 'fraction must be a number from 0 to 1'],
    ['a note past its cap', { note: 'x'.repeat(LIMITS.progressNoteLength + 1) }, 'at most 512 characters'],
    ['neither a fraction nor a note', { fraction: null }, 'must have a fraction or a note'],
  ])('does not tell %s', (_what, part, rule) => {
    expect(() => parseBrokerFrame(progress(part))).toThrow(rule);
  });

  it('of a hub that knows of no projects welcomes without any', () => {
    const id = '0198b2c0-0000-7000-8000-000000000000';
    const limits = { frameBytes: 1, resultBytes: 1, window: 1 };
    const times = { heartbeatMs: 1, livenessMs: 1, hubTime: '' };
    const welcome = {
      ...{ t: 'welcome', connectionId: id, brokerId: id, epoch: 1, protocol: 1, hubVersion: '1' },
      ...{ limits, ...times, alternatives: [] },
    };
    const attachments = [{ project: id, name: 'web', state: 'online', readOnly: false }];

    expect(parseHubFrame(JSON.stringify(welcome))).toMatchObject({ attachments: [] });
    expect(parseHubFrame(JSON.stringify({ ...welcome, attachments }))).toMatchObject({ attachments });
  });

  it('names the field and the rule, and never the value', () => {
    const text = JSON.stringify({ t: 'ack', acks: [{ id: 'secret', attempt: 1 }] });

    expect(() => parseBrokerFrame(text)).toThrow('acks[0].id must be a lower-case uuid');
  });

  it.each([
    ['items', { t: 'ack', acks: Array.from({ length: LIMITS.batch + 1 }, () => ({})) }],
    [
      'entries of an inventory',
      { t: 'inventory', last: true, entries: Array.from({ length: LIMITS.inventoryChunk + 1 }, () => ({})) },
    ],
    ['items of progress', { t: 'progress', progress: Array.from({ length: LIMITS.batch + 1 }, () => ({})) }],
    ['text', { t: 'goodbye', reason: 'x'.repeat(LIMITS.textLength + 1) }],
  ])('with one more %s than allowed is refused', (_what, frame) => {
    expect(() => parseBrokerFrame(JSON.stringify(frame))).toThrow('at most');
  });
});
