const SUSPECT = /\\u(0000|d[89a-f])/i;
/** Each escape of a JSON text, so that a backslash that is escaped itself begins none; told apart where jsonb does not take it. */
const ESCAPE = /\\(u0000|ud[89a-f][0-9a-f]{2})|\\./g;

/**
 * A value as text that PostgreSQL takes as jsonb. What JSON can say and jsonb cannot, NUL and halves of surrogate
 * pairs, becomes U+FFFD, in names as in texts: a broker that says it must not be able to hold up what others say.
 */
export function toJsonb(value: unknown): string {
  const text = JSON.stringify(value ?? null);
  if (!SUSPECT.test(text)) return text;
  return text.replace(ESCAPE, (escape: string, untaken?: string) =>
    untaken === undefined ? escape : '\ufffd',
  );
}

/** Whether what a JSON text says comes back from jsonb as it is. */
export function isKeptByJsonb(text: string): boolean {
  return !SUSPECT.test(text);
}

/** Text that PostgreSQL takes. */
export function storable(text: string): string {
  return text.replaceAll('\0', '\ufffd').replace(LONE_SURROGATE, '\ufffd');
}

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
