/**
 * The ring of seal keys as text: 32 bytes of hex each, separated by commas, newest first. The newest seals, any of
 * them opens, so that a key can be rotated with overlap.
 */
const KEY = /^[0-9a-f]{64}$/i;

/** The key that the documentation shows; whoever pasted it shares it with the world. */
export const EXAMPLE_KEY = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';

/** The ring, or the rule that the text breaks. */
export function readSealKeys(text: string): { keys: readonly Buffer[] } | { rule: string } {
  const entries = text.split(',').map((entry) => entry.trim());
  if (!entries.every((entry) => KEY.test(entry))) {
    return { rule: 'must be keys of 32 bytes in hex (64 digits), separated by commas, newest first' };
  }
  if (entries.some(isWeakKey)) {
    return { rule: 'must not contain a weak key: one repeated byte, or the example of the documentation' };
  }
  if (new Set(entries.map((entry) => entry.toLowerCase())).size < entries.length) {
    return { rule: 'must not contain a key twice' };
  }
  return { keys: entries.map((entry) => Buffer.from(entry, 'hex')) };
}

/** Whether 32 bytes of hex are known to the world: one repeated byte, or what the documentation shows. */
export function isWeakKey(entry: string): boolean {
  const bytes = Buffer.from(entry, 'hex');
  return entry.toLowerCase() === EXAMPLE_KEY || bytes.every((byte) => byte === bytes[0]);
}
