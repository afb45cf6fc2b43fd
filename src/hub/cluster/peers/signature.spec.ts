import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  answerMacOf,
  callMacOf,
  fieldsOf,
  hashOf,
  linkKeyOf,
  signatureOf,
  signerOf,
  type LinkCall,
  type SignedCall,
} from './signature.js';
import { isSame } from '../../http/same-text.js';

const SECRET = randomBytes(32);
const CALL: SignedCall = {
  purpose: 'drain',
  target: 'b',
  method: 'POST',
  path: '/internal/v1/drain',
  timestampMs: 1_790_000_000_000,
  nonce: 'n',
  body: Buffer.from('{}'),
};

describe('a signature between replicas', () => {
  it('reads no two lists of fields the same, wherever their text is cut (pitfall 36)', () => {
    expect(fieldsOf('ab', 'c').equals(fieldsOf('a', 'bc'))).toBe(false);
    fc.assert(
      fc.property(fc.array(fc.string()), fc.array(fc.string()), (one, other) => {
        const isOne = one.length === other.length && one.every((field, index) => field === other[index]);
        expect(fieldsOf(...one).equals(fieldsOf(...other))).toBe(isOne);
      }),
    );
  });

  it('reads no field as two, whatever stands between two (pitfall 36)', () => {
    const text = fieldsOf('a', 'b').toString('latin1');
    const between = text.slice(text.indexOf('a') + 1, text.lastIndexOf('b'));

    expect(fieldsOf(`a${between}b`).equals(fieldsOf('a', 'b'))).toBe(false);
  });

  it.each<[string, Partial<SignedCall>]>([
    ['purpose', { purpose: 'relay' }],
    ['replica', { target: 'c' }],
    ['method', { method: 'GET' }],
    ['path', { path: '/internal/v1/drain?deadline=1' }],
    ['time', { timestampMs: CALL.timestampMs + 1 }],
    ['nonce', { nonce: 'm' }],
    ['body', { body: Buffer.from('{ }') }],
  ])('is not that of another %s', (_what, change) => {
    const signature = signatureOf(SECRET, CALL);

    expect(signerOf([SECRET], CALL, signature)).toBe(SECRET);
    expect(signerOf([SECRET], { ...CALL, ...change }, signature)).toBeUndefined();
  });

  it.each<[string, Partial<SignedCall>, Partial<SignedCall>]>([
    ['replica and method', { target: 'b', method: 'POST' }, { target: 'bP', method: 'OST' }],
    ['method and path', { method: 'POST', path: '/x' }, { method: 'POST/', path: 'x' }],
    ['time and nonce', { timestampMs: 12, nonce: '3n' }, { timestampMs: 123, nonce: 'n' }],
    ['path and time', { path: '/x1', timestampMs: 2 }, { path: '/x', timestampMs: 12 }],
    [
      'fields with a delimiter in them',
      { target: 'b\nPOST', method: 'x' },
      { target: 'b', method: 'POST\nx' },
    ],
  ])('is another where %s join to the same text (pitfall 36)', (_which, one, other) => {
    const [first, second] = [
      { ...CALL, ...one },
      { ...CALL, ...other },
    ];
    const textOf = ({ purpose, target, method, path, timestampMs, nonce }: SignedCall, between: string) =>
      [purpose, target, method, path, timestampMs, nonce].join(between);
    expect(['', '\n'].some((between) => textOf(first, between) === textOf(second, between))).toBe(true);

    expect(signatureOf(SECRET, first)).not.toBe(signatureOf(SECRET, second));
    expect(signerOf([SECRET], second, signatureOf(SECRET, first))).toBeUndefined();
  });

  it('tells which of the secrets made it, and that none did', () => {
    const previous = randomBytes(32);

    expect(signerOf([SECRET, previous], CALL, signatureOf(previous, CALL))).toBe(previous);
    expect(signerOf([SECRET, previous], CALL, signatureOf(randomBytes(32), CALL))).toBeUndefined();
    expect(signerOf([SECRET], CALL, '')).toBeUndefined();
  });
});

describe('the key of a link', () => {
  const handshake = { caller: 'a', target: 'b', callerNonce: 'n', targetNonce: 'm' };
  const key = linkKeyOf(SECRET, handshake);
  const call: LinkCall = {
    purpose: 'relay',
    method: 'POST',
    path: '/internal/v1/relay/poll',
    counter: 1,
    deadlineMs: 1_000,
    traceparent: '',
    bodyHash: hashOf(Buffer.from('{}')),
  };

  it.each([{ caller: 'c' }, { target: 'c' }, { callerNonce: 'o' }, { targetNonce: 'o' }])(
    'is another with %j',
    (change) => {
      expect(linkKeyOf(SECRET, { ...handshake, ...change }).equals(key)).toBe(false);
    },
  );

  it.each<Partial<LinkCall>>([
    { purpose: 'drain' },
    { method: 'GET' },
    { path: '/internal/v1/relay/other' },
    { counter: 2 },
    { deadlineMs: 2_000 },
    { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' },
    { bodyHash: hashOf(Buffer.from('[]')) },
  ])('vouches for no call with %j', (change) => {
    expect(isSame(callMacOf(key, { ...call, ...change }), callMacOf(key, call))).toBe(false);
  });

  it.each<[Partial<LinkCall>, Partial<LinkCall>]>([
    [
      { method: 'POST', path: '/x' },
      { method: 'POST/', path: 'x' },
    ],
    [
      { counter: 1, deadlineMs: 23 },
      { counter: 12, deadlineMs: 3 },
    ],
    [
      { deadlineMs: 1, traceparent: '00-a' },
      { deadlineMs: 100, traceparent: '-a' },
    ],
  ])('vouches for none that joins to the same text: %j and %j (pitfall 36)', (one, other) => {
    expect(Object.values(one).join('')).toBe(Object.values(other).join(''));

    expect(callMacOf(key, { ...call, ...one })).not.toBe(callMacOf(key, { ...call, ...other }));
  });

  it('is another where caller and target, or the nonces, join to the same text (pitfall 36)', () => {
    const keyOf = (change: object) => linkKeyOf(SECRET, { ...handshake, ...change }).toString('hex');

    expect(keyOf({ caller: 'ab', target: 'c' })).not.toBe(keyOf({ caller: 'a', target: 'bc' }));
    expect(keyOf({ callerNonce: 'ab', targetNonce: 'c' })).not.toBe(
      keyOf({ callerNonce: 'a', targetNonce: 'bc' }),
    );
  });

  it('vouches for an answer to one call, with one status and one body', () => {
    const answer = { counter: 1, status: 200, body: Buffer.from('{}') };
    const mac = answerMacOf(key, answer);

    for (const change of [{ counter: 2 }, { status: 201 }, { body: Buffer.from('[]') }]) {
      expect(answerMacOf(key, { ...answer, ...change })).not.toBe(mac);
    }
  });
});
