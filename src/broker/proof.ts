/**
 * Proofs that this broker has its key (DPoP, RFC 9449): one for each request that shows an access token, good for a minute and
 * once, so that what somebody reads on the way is of no use.
 */
import { createHash } from 'node:crypto';
import { SignJWT, type JWK } from 'jose';
import { v4 } from 'uuid';
import { signingKey } from './signing-key.js';

/** What a request is that shows an access token. */
export type Showing = {
  method: 'GET' | 'POST';
  path: string;
  /** The connection that it belongs to; left out where it begins one. */
  connectionId?: string | undefined;
};

/** The fields with which a request shows who asks. */
export type ShownFields = { authorization: string; dpop: string };

/** @param url of the hub, as it is dialled */
export async function proofFields(
  key: JWK,
  token: string,
  url: string,
  { method, path, connectionId }: Showing,
  nowMs: number,
): Promise<ShownFields> {
  const nonce = connectionId === undefined ? {} : { nonce: connectionId };
  const ath = createHash('sha256').update(token).digest('base64url');
  const proof = await new SignJWT({ htm: method, htu: `${url}${path}`, ath, ...nonce })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'EdDSA', jwk: publicHalf(key) })
    .setIssuedAt(Math.floor(nowMs / 1000))
    .setJti(v4())
    .sign(await signingKey(key));
  return { authorization: `DPoP ${token}`, dpop: proof };
}

/** @returns what may leave the machine */
function publicHalf({ x = '' }: JWK): JWK {
  return { kty: 'OKP', crv: 'Ed25519', x };
}
