import { describe, expect, it } from '@jest/globals';
import { calculateJwkThumbprint } from 'jose';
import { thumbprintOf } from './ed25519.js';

describe('the thumbprint of a key', () => {
  it('is that of RFC 8037', () => {
    const thumbprint = thumbprintOf('11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo');

    expect(thumbprint).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
  });

  it('is the one to which tokens are bound', async () => {
    const x = 'A'.repeat(43);

    expect(thumbprintOf(x)).toBe(await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x }));
  });
});
