import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { SealUnopened } from './auth.errors.js';
import { Sealer } from './sealer.js';

const secret = Buffer.from('a private key');

describe('the sealer', () => {
  it('opens what it sealed', () => {
    const sealer = new Sealer([randomBytes(32)]);

    const sealed = sealer.seal('signing_key', 'row-1', secret);

    expect(sealer.open('signing_key', 'row-1', sealed)).toEqual(secret);
    expect(sealed.includes(secret)).toBe(false);
  });

  it('never seals the same secret to the same bytes', () => {
    const sealer = new Sealer([randomBytes(32)]);

    expect(sealer.seal('p', 'r', secret)).not.toEqual(sealer.seal('p', 'r', secret));
  });

  it('opens with an older key of the ring, and seals with the newest', () => {
    const [older, newer] = [randomBytes(32), randomBytes(32)];
    const sealedBefore = new Sealer([older]).seal('p', 'r', secret);
    const rotated = new Sealer([newer, older]);

    expect(rotated.open('p', 'r', sealedBefore)).toEqual(secret);
    expect(new Sealer([newer]).open('p', 'r', rotated.seal('p', 'r', secret))).toEqual(secret);
  });

  it('does not open under a ring without the key', () => {
    const sealed = new Sealer([randomBytes(32)]).seal('p', 'r', secret);

    expect(() => new Sealer([randomBytes(32)]).open('p', 'r', sealed)).toThrow(SealUnopened);
  });

  it.each([
    ['another purpose', 'q', 'r'],
    ['another row', 'p', 's'],
    ['a purpose and a row that join to the same text', 'pr', ''],
  ])('does not open for %s', (_what, purpose, rowId) => {
    const sealer = new Sealer([randomBytes(32)]);
    const sealed = sealer.seal('p', 'r', secret);

    expect(() => sealer.open(purpose, rowId, sealed)).toThrow(SealUnopened);
  });

  it('does not open with any single byte changed, or cut short', () => {
    const sealer = new Sealer([randomBytes(32)]);
    const sealed = sealer.seal('p', 'r', secret);

    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => sealer.open('p', 'r', changed)).toThrow(SealUnopened);
      expect(() => sealer.open('p', 'r', sealed.subarray(0, at))).toThrow(SealUnopened);
    }
  });

  it('refuses a ring that is empty or has a short key', () => {
    expect(() => new Sealer([])).toThrow();
    expect(() => new Sealer([randomBytes(32), randomBytes(16)])).toThrow();
  });
});
