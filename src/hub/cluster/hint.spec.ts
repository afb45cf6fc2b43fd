import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decode, emptyHint, encode, merge, type Hint } from './hint.js';

const copies = fc.record({ seq: fc.nat(), note: fc.string({ maxLength: 600, unit: 'binary' }) });

const hints = fc
  .record({
    brokers: fc.array(fc.tuple(fc.uuid(), fc.nat()), { maxLength: 400 }),
    ended: fc.array(fc.uuid(), { maxLength: 400 }),
    cancelled: fc.array(fc.uuid(), { maxLength: 400 }),
    progressed: fc.array(fc.uuid(), { maxLength: 400 }),
    moved: fc.array(fc.tuple(fc.uuid(), fc.nat()), { maxLength: 20 }),
    attached: fc.array(fc.uuid(), { maxLength: 400 }),
    people: fc.array(fc.uuid(), { maxLength: 400 }),
    commands: fc.array(fc.tuple(fc.uuid(), copies), { maxLength: 100 }),
    outcomes: fc.array(fc.tuple(fc.uuid(), copies), { maxLength: 100 }),
  })
  .map(({ brokers, ended, cancelled, progressed, moved, attached, people, commands, outcomes }): Hint => ({
    brokers: new Map(brokers),
    ended: new Set(ended),
    cancelled: new Set(cancelled),
    progressed: new Set(progressed),
    moved: new Map(moved),
    attached: new Set(attached),
    people: new Set(people),
    commands: new Map(commands),
    outcomes: new Map(outcomes),
  }));

describe('a hint', () => {
  it('comes out of its payloads as it went in, and every payload fits a NOTIFY', () => {
    fc.assert(
      fc.property(hints, (hint) => {
        const payloads = encode(hint);
        const together = emptyHint();
        for (const payload of payloads) merge(together, decode(payload));

        expect(together).toEqual(hint);
        for (const payload of payloads) expect(Buffer.byteLength(payload)).toBeLessThan(8_000);
      }),
    );
  });

  it('keeps the lowest seq and the newest epoch of a broker', () => {
    const hint = emptyHint();
    for (const value of [5, 3, 9]) {
      merge(hint, { ...emptyHint(), brokers: new Map([['b', value]]), moved: new Map([['b', value]]) });
    }

    expect([hint.brokers.get('b'), hint.moved.get('b')]).toEqual([3, 9]);
  });

  it.each(['not a hint', 'null', '5', '{"b":5}', '{"b":[7]}', '{"n":[["id"]],"e":{}}'])(
    'is empty where the payload cannot be read: %s',
    (payload) => {
      expect(decode(payload)).toEqual(emptyHint());
    },
  );
});
