import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { generateKeyPair, SignJWT, type CryptoKey, type JWTHeaderParameters } from 'jose';
import { v4 as uuidv4 } from 'uuid';
import { readAssertion } from './assertion.js';
import { isCurrent } from './signed-times.js';
import { CredentialInvalid } from './auth.errors.js';

const HUB = 'urn:fairlead:hub:test';
const BROKER = uuidv4();

let key: CryptoKey;

function sign(
  claims: Record<string, unknown> = {},
  header: Partial<JWTHeaderParameters> = {},
): Promise<string> {
  const standard = { iss: BROKER, sub: BROKER, aud: HUB, jti: uuidv4(), iat: 1000, exp: 1060 };
  return new SignJWT({ ...standard, ...claims }).setProtectedHeader({ alg: 'EdDSA', ...header }).sign(key);
}

beforeAll(async () => {
  key = (await generateKeyPair('EdDSA')).privateKey;
});

describe('an assertion', () => {
  it('is read', async () => {
    expect(readAssertion(await sign(), HUB)).toMatchObject({
      brokerId: BROKER,
      issuedAtS: 1000,
      expiresAtS: 1060,
    });
    expect(readAssertion(await sign({}, { typ: 'JWT' }), HUB)).toMatchObject({ brokerId: BROKER });
  });

  it.each<[string, Record<string, unknown>]>([
    ['for another hub', { aud: 'urn:fairlead:hub:other' }],
    ['for the control channel', { aud: `${HUB}/control` }],
    ['for several', { aud: [HUB, 'x'] }],
    ['by one broker for another', { iss: uuidv4() }],
    ['of something that is no id', { iss: 'x', sub: 'x' }],
    ['without an id of its own', { jti: undefined }],
    ['with an id that is no uuid', { jti: 'x' }],
    ['without an end', { exp: undefined }],
    ['without a beginning', { iat: undefined }],
    ['that lives for more than 60 s', { exp: 1061 }],
    ['that ends as it begins', { exp: 1000 }],
    ['with times that are no whole numbers', { iat: 1000.5, exp: 1001.5 }],
  ])('%s is refused', async (_what, claims) => {
    const compact = await sign(claims);

    expect(() => readAssertion(compact, HUB)).toThrow(CredentialInvalid);
  });

  it('of another type is refused', async () => {
    const compact = await sign({}, { typ: 'fairlead-broker+jwt' });

    expect(() => readAssertion(compact, HUB)).toThrow(CredentialInvalid);
  });

  it('that is any text at all is refused in the same way', () => {
    const part = fc.oneof(
      fc.string(),
      fc.json().map((text) => Buffer.from(text).toString('base64url')),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        expect(() => readAssertion(parts.join('.'), HUB)).toThrow(CredentialInvalid);
      }),
    );
  });

  it.each([
    [994, false],
    [995, true],
    [1000, true],
    [1064, true],
    [1065, false],
  ])('made at 1000 for 60 s is current at %d: %s', (nowS, expected) => {
    const assertion = { brokerId: BROKER, jti: uuidv4(), issuedAtS: 1000, expiresAtS: 1060 };

    expect(isCurrent(assertion, new Date(nowS * 1000))).toBe(expected);
  });
});
