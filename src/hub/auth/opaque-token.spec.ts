import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { hashOpaque, makeOpaque } from './opaque-token.js';

describe('an opaque token', () => {
  it('says its kind and shows only its beginning in lists', () => {
    const { plain, prefix } = makeOpaque('personal');

    expect(plain).toMatch(/^flp_[A-Za-z0-9_-]{43}$/);
    expect(plain.startsWith(prefix)).toBe(true);
    expect(prefix).toHaveLength(12);
  });

  it('is found again by its hash', () => {
    const { plain, hash } = makeOpaque('join');

    expect(hashOpaque('join', plain)).toEqual(hash);
    expect(hash).toHaveLength(32);
  });

  it('of one kind is none of the other', () => {
    expect(hashOpaque('join', makeOpaque('personal').plain)).toBeUndefined();
    expect(hashOpaque('personal', makeOpaque('join').plain)).toBeUndefined();
  });

  it('has one text: another encoding of the same bytes is no token', () => {
    const secret = Buffer.alloc(32, 0).toString('base64url');

    expect(hashOpaque('personal', `flp_${secret}`)).toBeDefined();
    expect(hashOpaque('personal', `flp_${secret.slice(0, -1)}B`)).toBeUndefined();
    expect(hashOpaque('personal', `flp_${secret}=`)).toBeUndefined();
    expect(hashOpaque('personal', `flp_${secret}\n`)).toBeUndefined();
  });

  it('is no arbitrary text', () => {
    fc.assert(fc.property(fc.string(), (text) => hashOpaque('personal', `flp_${text}`) === undefined));
  });

  it('is accepted whenever it was made', () => {
    for (let count = 0; count < 500; count += 1) {
      expect(hashOpaque('personal', makeOpaque('personal').plain)).toBeDefined();
    }
  });
});
