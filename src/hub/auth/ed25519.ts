import { calculateJwkThumbprint, type JWK } from 'jose';

/** An Ed25519 public key as a JWK (RFC 8037). @param publicKey base64url of its 32 bytes */
export function jwkOf(publicKey: string): JWK {
  return { kty: 'OKP', crv: 'Ed25519', x: publicKey };
}

/** By which tokens are bound to it (RFC 7638). @param publicKey base64url of its 32 bytes */
export async function thumbprintOf(publicKey: string): Promise<string> {
  return calculateJwkThumbprint(jwkOf(publicKey));
}
