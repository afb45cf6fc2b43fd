/**
 * Proofs of possession (DPoP, RFC 9449): a broker signs for each request what it asks for and with which access token, so that
 * whoever holds a copy of the token alone has nothing.
 */
import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, compactVerify, errors, importJWK, type JWK } from 'jose';
import { isUuid } from '../../protocol/read.js';
import { CredentialInvalid } from './auth.errors.js';

/** What a request is, as far as its proof must say the same. */
export type Proven = {
  readonly method: string;
  readonly path: string;
  /** What comes in `Authorization`, to which the proof is bound. */
  readonly token: string;
  /** The connection that the request belongs to; null where it begins one. */
  readonly connectionId: string | null;
};

export type BrokerProof = {
  readonly jti: string;
  readonly issuedAtS: number;
  /** Base64url of the 32 bytes of the key that signed. */
  readonly publicKey: string;
};

const LIVES_S = 60;
/** For what is left between two clocks that were set by the same one, and for the way. */
const TOLERANCE_S = 5;
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
  const { header, claims, publicKey } = await opened(compact, jkt);
  const { htm, htu, ath, jti, iat, nonce } = claims;
  const isProof = header.typ === 'dpop+jwt' && htm === asked.method && pathOf(htu) === asked.path;
  const isOfToken = ath === hashOf(asked.token) && (nonce ?? null) === asked.connectionId;
  if (!isProof || !isOfToken || !isUuid(jti) || !Number.isSafeInteger(iat)) throw new CredentialInvalid();
  return { jti: jti.toLowerCase(), issuedAtS: Number(iat), publicKey };
}

/** When nobody takes the proof any more, and its id may be forgotten. */
export function endOfProof({ issuedAtS }: BrokerProof): Date {
  return new Date((issuedAtS + LIVES_S + TOLERANCE_S) * 1000);
}

/** Whether it was made by now and has not ended. */
export function isProofCurrent(proof: BrokerProof, now: Date): boolean {
  const nowMs = now.getTime();
  return (proof.issuedAtS - TOLERANCE_S) * 1000 <= nowMs && nowMs < endOfProof(proof).getTime();
}

async function opened(compact: string, jkt: string) {
  try {
    const { jwk, typ } = headerOf(compact);
    // A key is read once it is known to be the one, so that nobody chooses what is done with it.
    if (jwk?.kty !== 'OKP' || jwk.crv !== 'Ed25519' || typeof jwk.x !== 'string' || 'd' in jwk) {
      throw new CredentialInvalid();
    }
    const key: JWK = { kty: 'OKP', crv: 'Ed25519', x: jwk.x };
    if ((await calculateJwkThumbprint(key)) !== jkt) throw new CredentialInvalid();
    const { payload } = await compactVerify(compact, await importJWK(key, 'EdDSA'), {
      algorithms: ['EdDSA'],
    });
    const claims = objectOf(Buffer.from(payload).toString());
    return { header: { typ }, claims, publicKey: jwk.x };
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof SyntaxError)
      throw new CredentialInvalid(error);
    throw error;
  }
}

function headerOf(compact: string): { typ?: unknown; jwk?: Record<string, unknown> | undefined } {
  const { typ, jwk } = objectOf(Buffer.from(compact.split('.', 1)[0] ?? '', 'base64url').toString());
  return { typ, jwk: typeof jwk === 'object' && jwk !== null ? (jwk as Record<string, unknown>) : undefined };
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
