/** What stands in the place of a token. */
const HIDDEN = '***';
/** A shown prefix (`flp_` and eight characters) stays readable; anything longer may be a token. */
const LIKE_A_TOKEN = /\bfl[pj]_[A-Za-z0-9_-]{9,}/g;
/** Shorter ones occur in ordinary words, and no hub makes any. */
const LEAST_LENGTH = 8;

/** The text without the known secrets and without anything that looks like one of a hub's tokens. */
export function redact(text: string, secrets: readonly string[]): string {
  const known = secrets.filter((secret) => secret.length >= LEAST_LENGTH);
  return known.reduce((left, secret) => left.replaceAll(secret, HIDDEN), text).replace(LIKE_A_TOKEN, HIDDEN);
}
