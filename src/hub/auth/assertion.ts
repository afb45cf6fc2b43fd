/**
 * What a broker says of itself in a client assertion (RFC 7523), as far as the text alone tells. Nothing here is
 * to be believed before the signature is checked.
 */
import { decodeJwt, decodeProtectedHeader, errors } from 'jose';
import { isUuid } from '../../protocol/read.js';
import { CredentialInvalid } from './auth.errors.js';
import { LIVES_AT_MOST_S, type SignedTimes } from './signed-times.js';

type Assertion = SignedTimes & { readonly brokerId: string; readonly jti: string };

/**
 * @param audience the hub's urn
 * @throws CredentialInvalid for anything that is not an assertion of a broker made out to this hub
 */
export function readAssertion(compact: string, audience: string): Assertion {
  const { header, claims } = decode(compact);
  const { iss, sub, aud, jti, iat, exp } = claims;
  const isAssertion = header.alg === 'EdDSA' && (header.typ === undefined || header.typ === 'JWT');
  if (!isAssertion || aud !== audience || iss !== sub || !isUuid(sub) || !isUuid(jti))
    throw new CredentialInvalid();
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp)) throw new CredentialInvalid();
  const [issuedAtS, expiresAtS] = [Number(iat), Number(exp)];
  const livesS = expiresAtS - issuedAtS;
  if (livesS <= 0 || livesS > LIVES_AT_MOST_S) throw new CredentialInvalid();
  return { brokerId: sub, jti, issuedAtS, expiresAtS };
}

function decode(compact: string) {
  try {
    return { header: decodeProtectedHeader(compact), claims: decodeJwt<Record<string, unknown>>(compact) };
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) throw new CredentialInvalid(error);
    throw error;
  }
}
