/**
 * Proofs of possession (DPoP, RFC 9449): a broker signs for each request what it asks for and with which access token, so that
 * whoever holds a copy of the token alone has nothing.
 */
import { createHash } from 'node:crypto';
import { compactVerify, errors, importJWK, type CryptoKey, type JWK } from 'jose';
import { isUuid } from '../../protocol/read.js';
import { CredentialInvalid } from './auth.errors.js';
import { jwkOf, thumbprintOf } from './ed25519.js';
import { LIVES_AT_MOST_S, type SignedTimes } from './signed-times.js';

/** What a request is, as far as its proof must say the same. */
export type Proven = {
  readonly method: string;
  readonly path: string;
  /** What comes in `Authorization`, to which the proof is bound. */
  readonly token: string;
  /** The connection that the request belongs to; null where it begins one. */
  readonly connectionId: string | null;
};

export type BrokerProof = SignedTimes & {
  readonly jti: string;
  /** Base64url of the 32 bytes of the key that signed. */
  readonly publicKey: string;
};

const CHARACTERS_MOST = 4_096;

/**
 * Checks that a proof is signed by the key to which the token is bound, and is one for this request. Whether it was used, and
 * whether its time has come or passed, is asked by others.
 *
 * Of `htu` the path counts: a hub has many addresses, and what stands before it may have others. That the proof is for this
 * very hub is told by the token's hash.
 *
 * @param jkt thumbprint of the key to which the token is bound
 * @throws CredentialInvalid
 */
export async function verifyProof(compact: string, asked: Proven, jkt: string): Promise<BrokerProof> {
  if (compact.length > CHARACTERS_MOST) throw new CredentialInvalid();
  const { typ, claims, publicKey } = await opened(compact, jkt);
  const { htm, htu, ath, jti, iat, nonce } = claims;
  const isProof = typ === 'dpop+jwt' && htm === asked.method && pathOf(htu) === asked.path;
  const isOfToken = ath === hashOf(asked.token) && (nonce ?? null) === asked.connectionId;
  if (!isProof || !isOfToken || !isUuid(jti) || !Number.isSafeInteger(iat)) throw new CredentialInvalid();
  const issuedAtS = Number(iat);
  return { jti: jti.toLowerCase(), issuedAtS, expiresAtS: issuedAtS + LIVES_AT_MOST_S, publicKey };
}

async function opened(compact: string, jkt: string) {
  try {
    const { payload, protectedHeader } = await compactVerify(compact, ({ jwk }) => keyOf(jwk, jkt), {
      algorithms: ['EdDSA'],
    });
    const { typ, jwk } = protectedHeader;
    return { typ, claims: objectOf(Buffer.from(payload).toString()), publicKey: String(jwk?.x) };
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof SyntaxError)
      throw new CredentialInvalid(error);
    throw error;
  }
}

/** A key is read once it is known to be the one, so that nobody chooses what is done with it. */
async function keyOf(jwk: JWK | undefined, jkt: string): Promise<CryptoKey | Uint8Array> {
  if (jwk?.kty !== 'OKP' || jwk.crv !== 'Ed25519' || typeof jwk.x !== 'string' || 'd' in jwk) {
    throw new CredentialInvalid();
  }
  if (thumbprintOf(jwk.x) !== jkt) throw new CredentialInvalid();
  return importJWK(jwkOf(jwk.x), 'EdDSA');
}

function objectOf(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new CredentialInvalid();
  return value as Record<string, unknown>;
}

/** Of an address without what may follow the path (RFC 9449 section 4.3); undefined where it is none. */
function pathOf(htu: unknown): string | undefined {
  if (typeof htu !== 'string' || !URL.canParse(htu)) return undefined;
  return new URL(htu).pathname;
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}
