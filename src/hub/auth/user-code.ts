/**
 * Codes that people read off one screen and type at another (RFC 8628, 6.1): eight letters without vowels, so that they spell
 * no words, and none that are taken for another. 34 bits are enough for what lives for minutes and is limited in guesses.
 */
import { createHash, randomInt } from 'node:crypto';

const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';
const LENGTH = 8;

/** A new one as it is shown, such as `WDJB-MJHT`, and what the hub keeps of it. */
export function makeUserCode(): { shown: string; hash: Buffer } {
  const letters = Array.from({ length: LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join('');
  const shown = `${letters.slice(0, LENGTH / 2)}-${letters.slice(LENGTH / 2)}`;
  return { shown, hash: hashOf(letters) };
}

/** What the hub keeps of it, in whatever case and with whatever between its letters; undefined for what can be none. */
export function hashUserCode(typed: string): Buffer | undefined {
  const letters = typed.toUpperCase().replace(/[\s-]/g, '');
  if (letters.length !== LENGTH || [...letters].some((letter) => !LETTERS.includes(letter))) return undefined;
  return hashOf(letters);
}

function hashOf(letters: string): Buffer {
  return createHash('sha256').update(letters).digest();
}
