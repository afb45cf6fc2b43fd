import { createHash } from 'node:crypto';

/**
 * By which a broker's key is named (RFC 7638, RFC 8037). It tells nothing that is secret.
 *
 * @param publicKey base64url of the 32 bytes of an Ed25519 public key
 */
export function thumbprintOf(publicKey: string): string {
  // The members that the standard wants, in its order.
  const members = JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x: publicKey });
  return createHash('sha256').update(members).digest('base64url');
}
