import { createHash } from 'node:crypto';
import type { JWK } from 'jose';

/** An Ed25519 public key as a JWK (RFC 8037). @param publicKey base64url of its 32 bytes */
export function jwkOf(publicKey: string): JWK {
  return { kty: 'OKP', crv: 'Ed25519', x: publicKey };
}

/**
 * By which it is named and tokens are bound to it (RFC 7638, RFC 8037). It tells nothing that is secret.
 *
 * @param publicKey base64url of its 32 bytes
 */
export function thumbprintOf(publicKey: string): string {
  // The library's is asynchronous, and rows are shown by what is not. The members that the standard wants, in its order.
  const members = JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x: publicKey });
  return createHash('sha256').update(members).digest('base64url');
}
