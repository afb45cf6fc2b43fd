import { createHash, randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { CredentialInvalid } from './auth.errors.js';
import { verifyProof, type Proven } from './broker-proof.js';
import { endOf, isCurrent } from './signed-times.js';

const TOKEN = 'a.b.c';
const UPGRADE: Proven = { method: 'GET', path: '/api/v1/control', token: TOKEN, connectionId: null };
const ATH = createHash('sha256').update(TOKEN).digest('base64url');

let key: CryptoKey;
let jwk: JWK;
let jkt: string;
let other: { privateKey: CryptoKey; jwk: JWK };

async function pair(): Promise<{ privateKey: CryptoKey; jwk: JWK }> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true });
  return { privateKey, jwk: await exportJWK(publicKey) };
}

async function proof(claims: object = {}, header: object = {}, signer = key): Promise<string> {
  const standard = {
    htm: 'GET',
    htu: 'https://hub.example/api/v1/control',
    ath: ATH,
    iat: 1000,
    jti: randomUUID(),
  };
  return new SignJWT({ ...standard, ...claims })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'EdDSA', jwk, ...header })
    .sign(signer);
}

const refused = (compact: string, asked = UPGRADE) =>
  expect(verifyProof(compact, asked, jkt)).rejects.toBeInstanceOf(CredentialInvalid);

beforeAll(async () => {
  const { privateKey, jwk: publicJwk } = await pair();
  [key, jwk, jkt] = [privateKey, publicJwk, await calculateJwkThumbprint(publicJwk)];
  other = await pair();
});

describe('a proof', () => {
  it('tells by which key it was made, when, and under which id', async () => {
    const jti = randomUUID();

    expect(await verifyProof(await proof({ jti }), UPGRADE, jkt)).toEqual({
      jti,
      issuedAtS: 1000,
      expiresAtS: 1060,
      publicKey: jwk.x,
    });
  });

  it.each([
    'http://127.0.0.1:8080/api/v1/control',
    'wss://other.example/api/v1/control',
    'https://hub.example/api/v1/control?x=1',
  ])('is taken at whichever address the path is asked: %s', async (htu) => {
    await expect(verifyProof(await proof({ htu }), UPGRADE, jkt)).resolves.toBeDefined();
  });

  it.each<[string, object]>([
    ['for another method', { htm: 'POST' }],
    ['for another path', { htu: 'https://hub.example/api/v1/control/poll' }],
    ['for what is no address', { htu: '/api/v1/control' }],
    ['for no address', { htu: undefined }],
    ['with another token', { ath: createHash('sha256').update('x').digest('base64url') }],
    ['with no token', { ath: undefined }],
    ['of a connection', { nonce: randomUUID() }],
    ['without an id', { jti: undefined }],
    ['with an id that is no uuid', { jti: 'x' }],
    ['without a time', { iat: undefined }],
    ['with a time that is no whole number', { iat: 1000.5 }],
  ])('%s is refused', async (_what, claims) => {
    await refused(await proof(claims));
  });

  it.each<[string, () => object]>([
    ['of another type', () => ({ typ: 'JWT' })],
    ['without a key', () => ({ jwk: undefined })],
    ['with the key of another', () => ({ jwk: other.jwk })],
    ['with a key that is no text', () => ({ jwk: { ...jwk, x: 1 } })],
    ['with a key of another kind', () => ({ jwk: { kty: 'oct', k: 'AA' } })],
    ['with a private key', () => ({ jwk: { ...jwk, d: 'AA' } })],
  ])('%s is refused', async (_what, header) => {
    await refused(await proof({}, header()));
  });

  it('signed by another key is refused, whichever key it names', async () => {
    await refused(await proof({}, {}, other.privateKey));
    await refused(await proof({}, { jwk: other.jwk }, other.privateKey));
  });

  it('of a poll is one for its connection alone', async () => {
    const connectionId = randomUUID();
    const asked = { ...UPGRADE, connectionId };

    await expect(verifyProof(await proof({ nonce: connectionId }), asked, jkt)).resolves.toBeDefined();
    await refused(await proof(), asked);
    await refused(await proof({ nonce: randomUUID() }), asked);
  });

  it('is read up to 4,096 characters', async () => {
    const bare = await proof({ pad: '' });
    // Base64url has four characters for three bytes.
    const pad = 'x'.repeat(Math.floor(((4_096 - bare.length) * 3) / 4));
    const long = await proof({ pad });
    expect(long.length).toBeGreaterThan(4_090);

    await expect(verifyProof(long, UPGRADE, jkt)).resolves.toBeDefined();
    await refused(await proof({ pad: `${pad}xxxxxx` }));
  });

  it('that is any text at all is refused in the same way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.json(), async (text, json) => {
        const encoded = Buffer.from(json).toString('base64url');
        for (const each of [text, `${encoded}.${encoded}.AA`]) await refused(each);
      }),
      { numRuns: 50 },
    );
  });

  it('is current from five seconds before its time to 65 after', async () => {
    const made = await verifyProof(await proof(), UPGRADE, jkt);

    const verdicts = [994.9, 995, 1000, 1064.9, 1065].map((atS) => isCurrent(made, new Date(atS * 1000)));

    expect(verdicts).toEqual([false, true, true, true, false]);
    expect(endOf(made)).toEqual(new Date(1_065_000));
  });
});
