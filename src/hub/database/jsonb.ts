const SUSPECT = /\\u(0000|d[89a-f])/i;

/**
 * A value as text that PostgreSQL takes as jsonb. What JSON can say and jsonb cannot, NUL and halves of surrogate
 * pairs, becomes U+FFFD: a broker that says it must not be able to hold up what others say.
 */
export function toJsonb(value: unknown): string {
  const text = JSON.stringify(value ?? null);
  if (!SUSPECT.test(text)) return text;
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'string' ? storable(part) : part));
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
