/**
 * Readers of untrusted JSON: each takes a value and the path it stands at, and gives the typed value or
 * throws a ProtocolError that names the path and the rule. Each also tells the shape of what it takes, so that what is
 * documented of the wire is made from the very code that reads it.
 */
import type { JsonObject, JsonValue } from './frame.js';
import { LIMITS } from './limits.js';
import { ProtocolError } from './protocol.error.js';

/**
 * What a reader takes, as JSON Schema (draft 7), as far as that can say it. Lengths of text are in UTF-16 code units here,
 * where the schema counts code points: what the schema calls too long always is.
 */
export type Shape = { readonly [keyword: string]: unknown };

export type Reader<T> = {
  (value: unknown, path: string): T;
  readonly shape: Shape;
  /** Whether it also takes that nothing stands there. */
  readonly takesAbsence: boolean;
};

/** A reader from its parts; `read` must take what the shape allows, and throw a ProtocolError for all else. */
export function reader<T>(
  shape: Shape,
  read: (value: unknown, path: string) => T,
  takesAbsence = false,
): Reader<T> {
  return Object.assign(read, { shape, takesAbsence });
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}

export const uuid: Reader<string> = reader(
  { type: 'string', format: 'uuid', pattern: UUID.source },
  (value, path) => {
    if (!isUuid(value)) throw new ProtocolError(`${path} must be a lower-case uuid`);
    return value;
  },
);

/** A string of at most `max` characters. */
export function text(max: number = LIMITS.textLength): Reader<string> {
  return reader({ type: 'string', maxLength: max }, (value, path) => {
    if (typeof value !== 'string' || value.length > max) {
      throw new ProtocolError(`${path} must be a string of at most ${max} characters`);
    }
    return value;
  });
}

const KEPT = /^[^\0\ud800-\udfff]*$/u;
/** As much of that as schemas of all languages can say. */
const KEPT_PATTERN = '^[^\\x00]*$';

/**
 * As `text`, and one that a database keeps as it is: without NUL, and without half of a surrogate pair. For what is looked for by
 * others, who would not find what was changed to be stored.
 */
export function keptText(max: number = LIMITS.textLength): Reader<string> {
  const short = text(max);
  return reader({ ...short.shape, pattern: KEPT_PATTERN }, (value, path) => {
    const read = short(value, path);
    if (!KEPT.test(read)) throw new ProtocolError(`${path} must have no NUL and no half of a surrogate pair`);
    return read;
  });
}

/** A whole number within the bounds, both included. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Reader<number> {
  return reader({ type: 'integer', minimum: min, maximum: max }, (value, path) => {
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
      throw new ProtocolError(`${path} must be a whole number from ${min} to ${max}`);
    }
    return value as number;
  });
}

export const finite: Reader<number> = reader({ type: 'number' }, (value, path) => {
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new ProtocolError(`${path} must be a number`);
  return value;
});

/** A number within the bounds, both included. */
export function number(min: number, max: number): Reader<number> {
  return reader({ type: 'number', minimum: min, maximum: max }, (value, path) => {
    if (typeof value !== 'number' || !(value >= min && value <= max))
      throw new ProtocolError(`${path} must be a number from ${min} to ${max}`);
    return value;
  });
}

export const flag: Reader<boolean> = reader({ type: 'boolean' }, (value, path) => {
  if (typeof value !== 'boolean') throw new ProtocolError(`${path} must be true or false`);
  return value;
});

export function oneOf<const T extends string>(...allowed: T[]): Reader<T> {
  return reader({ type: 'string', enum: allowed }, (value, path) => {
    if (!allowed.includes(value as T))
      throw new ProtocolError(`${path} must be one of ${allowed.join(', ')}`);
    return value as T;
  });
}

/** null, or absent, or what the reader takes. */
export function nullable<T>(of: Reader<T>): Reader<T | null> {
  const { type, enum: words } = of.shape;
  const isPlain = typeof type === 'string' && words === undefined;
  const shape = isPlain ? { ...of.shape, type: [type, 'null'] } : { anyOf: [of.shape, { type: 'null' }] };
  return reader(
    shape,
    (value, path) => (value === null || value === undefined ? null : of(value, path)),
    true,
  );
}

/** Absent, or what the reader takes; where it is absent the field is left out. */
export function optional<T>(of: Reader<T>): Reader<T | undefined> {
  return reader(of.shape, (value, path) => (value === undefined ? undefined : of(value, path)), true);
}

/** Absent or null, which stands for a value, or what the reader takes. */
export function orElse<T extends JsonValue | readonly object[]>(of: Reader<T>, value: T): Reader<T> {
  const read = nullable(of);
  return reader({ ...read.shape, default: value }, (given, path) => read(given, path) ?? value, true);
}

export function list<T>(of: Reader<T>, max: number): Reader<T[]> {
  return reader({ type: 'array', maxItems: max, items: of.shape }, (value, path) => {
    if (!Array.isArray(value) || value.length > max) {
      throw new ProtocolError(`${path} must be a list of at most ${max}`);
    }
    return value.map((item, index) => of(item, `${path}[${index}]`));
  });
}

export const object: Reader<Record<string, unknown>> = reader({ type: 'object' }, (value, path) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ProtocolError(`${path} must be an object`);
  }
  return value as Record<string, unknown>;
});

/** A reader for each field of a type; the compiler holds them to it, those that may be left out included. */
export type Fields<T> = {
  readonly [K in keyof T]-?: Reader<Partial<Pick<T, K>> extends Pick<T, K> ? T[K] | undefined : T[K]>;
};

/** An object of these fields. Others that it has are not taken over. */
export function record<T extends object>(fields: Fields<T>): Reader<T> {
  const readers = Object.entries<Reader<unknown>>(fields).map(
    ([name, of]) => [name, `.${name}`, of] as const,
  );
  const shape = {
    type: 'object',
    required: readers.filter(([, , { takesAbsence }]) => !takesAbsence).map(([name]) => name),
    properties: Object.fromEntries(readers.map(([name, , of]) => [name, of.shape])),
  };
  return reader(shape, (value, path) => {
    const raw = object(value, path);
    const taken: Record<string, unknown> = {};
    for (const [name, below, of] of readers) {
      const field = of(raw[name], path === '' ? name : path + below);
      if (field !== undefined) taken[name] = field;
    }
    return taken as T;
  });
}

/** An object whose other fields depend on the word in one of them. */
export function variants<T extends object, K extends keyof T & string>(
  tag: K,
  byWord: { readonly [W in T[K] & string]: Reader<Extract<T, Record<K, W>>> },
): Reader<T> {
  const readers = new Map<string, Reader<T>>(Object.entries<Reader<T>>(byWord));
  const word = oneOf(...readers.keys());
  return reader({ oneOf: [...readers.values()].map(({ shape }) => shape) }, (value, path) => {
    const said = word(object(value, path)[tag], `${path}.${tag}`);
    const of = readers.get(said);
    if (of === undefined) throw new ProtocolError(`${path}.${tag} is not known`);
    return of(value, path);
  });
}

export const json: Reader<JsonValue> = reader({}, (value) => (value ?? null) as JsonValue, true);

export const jsonObject: Reader<JsonObject> = reader(
  { type: 'object' },
  (value, path) => object(value, path) as JsonObject,
);

/** String keys to string values, both short and such as are kept, and not many. */
export const labels: Reader<Record<string, string>> = labelsReader();

function labelsReader(): Reader<Record<string, string>> {
  const short = keptText(LIMITS.labelLength);
  const shape = {
    type: 'object',
    maxProperties: LIMITS.labels,
    propertyNames: { maxLength: LIMITS.labelLength, pattern: KEPT_PATTERN },
    additionalProperties: short.shape,
  };
  return reader(shape, (value, path) => {
    const entries = Object.entries(object(value, path));
    if (entries.length > LIMITS.labels)
      throw new ProtocolError(`${path} must have at most ${LIMITS.labels} entries`);
    return Object.fromEntries(
      entries.map(([key, item]) => [
        short(key, `${path} key`),
        short(item, `${path}.${key.slice(0, LIMITS.labelLength)}`),
      ]),
    );
  });
}
