/** Private keys as what signs needs them: read once each, since every request that shows a token is signed for itself. */
import { importJWK, type CryptoKey, type JWK } from 'jose';

const read = new WeakMap<JWK, Promise<CryptoKey | Uint8Array>>();

/** @param key Ed25519, and not changed after it was first given here */
export function signingKey(key: JWK): Promise<CryptoKey | Uint8Array> {
  const known = read.get(key);
  if (known !== undefined) return known;
  const reading = importJWK(key, 'EdDSA');
  read.set(key, reading);
  return reading;
}
