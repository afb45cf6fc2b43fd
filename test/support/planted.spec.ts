import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Planted } from './planted.js';

const SECRET = 'a "secret" with/all+kinds=of, signs';

describe('a planted secret', () => {
  it.each([
    ['as it is', SECRET],
    ['in JSON', JSON.stringify({ told: SECRET })],
    ['in an address', `/somewhere?token=${encodeURIComponent(SECRET)}`],
    ['in hex', Buffer.from(`before ${SECRET}`).toString('hex')],
    ...['', '.', '..', '...'].map((before): [string, string] => [
      `in base64 after ${before.length} bytes`,
      Buffer.from(`${before}${SECRET} and more`).toString('base64'),
    ]),
    ['in the base64 of addresses', Buffer.from(`Basic user:${SECRET}`).toString('base64url')],
  ])('is found %s', (_form, text) => {
    const planted = new Planted();
    planted.text('secret', SECRET);
    planted.text('other', 'something else altogether');

    expect(planted.readIn(text)).toEqual(['secret']);
  });

  it('that is bytes is found as text, and as bytes', () => {
    const [planted, bytes] = [new Planted(), randomBytes(32)];
    planted.bytes('key', bytes.toString('hex'));

    const texts = [
      bytes.toString('hex'),
      bytes.toString('hex').toUpperCase(),
      bytes.toString('base64'),
      bytes.toString('base64url'),
    ];

    expect(texts.map((text) => planted.readIn(text))).toEqual(texts.map(() => ['key']));
    expect(planted.readIn(randomBytes(64).toString('hex'))).toEqual([]);
  });

  it('is long enough not to be found by chance', () => {
    expect(() => new Planted().text('short', 'abcdefg')).toThrow('too short');
  });
});
