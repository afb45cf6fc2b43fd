import { isWeakKey } from './seal-keys.js';

/** What all replicas of a hub know and nobody else: 32 bytes of hex, with which they sign what they say to each other. */
const SECRET = /^[0-9a-f]{64}$/i;

/** The secret, or the rule that the text breaks. */
export function readClusterSecret(text: string): { secret: Buffer } | { rule: string } {
  if (!SECRET.test(text)) return { rule: 'must be 32 bytes in hex (64 digits)' };
  if (isWeakKey(text)) {
    return { rule: 'must not be weak: one repeated byte, or the example of the documentation' };
  }
  return { secret: Buffer.from(text, 'hex') };
}
