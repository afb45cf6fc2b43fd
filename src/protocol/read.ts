/**
 * Readers of untrusted JSON: each takes a value and the path it stands at, and gives the typed value or
 * throws a ProtocolError that names the path and the rule.
 */
import type { JsonObject, JsonValue } from './frame.js';
import { LIMITS } from './limits.js';
import { ProtocolError } from './protocol.error.js';

export type Reader<T> = (value: unknown, path: string) => T;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}

export const uuid: Reader<string> = (value, path) => {
  if (!isUuid(value)) throw new ProtocolError(`${path} must be a lower-case uuid`);
  return value;
};

/** A string of at most `max` characters. */
export function text(max: number = LIMITS.textLength): Reader<string> {
  return (value, path) => {
    if (typeof value !== 'string' || value.length > max) {
      throw new ProtocolError(`${path} must be a string of at most ${max} characters`);
    }
    return value;
  };
}

/** A whole number within the bounds, both included. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Reader<number> {
  return (value, path) => {
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
      throw new ProtocolError(`${path} must be a whole number from ${min} to ${max}`);
    }
    return value as number;
  };
}

export const finite: Reader<number> = (value, path) => {
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new ProtocolError(`${path} must be a number`);
  return value;
};

/** A number within the bounds, both included. */
export function number(min: number, max: number): Reader<number> {
  return (value, path) => {
    if (typeof value !== 'number' || !(value >= min && value <= max))
      throw new ProtocolError(`${path} must be a number from ${min} to ${max}`);
    return value;
  };
}

export const flag: Reader<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw new ProtocolError(`${path} must be true or false`);
  return value;
};

export function oneOf<const T extends string>(...allowed: T[]): Reader<T> {
  return (value, path) => {
    if (!allowed.includes(value as T))
      throw new ProtocolError(`${path} must be one of ${allowed.join(', ')}`);
    return value as T;
  };
}

/** null, or absent, or what the reader takes. */
export function nullable<T>(reader: Reader<T>): Reader<T | null> {
  return (value, path) => (value === null || value === undefined ? null : reader(value, path));
}

export function list<T>(reader: Reader<T>, max: number): Reader<T[]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length > max) {
      throw new ProtocolError(`${path} must be a list of at most ${max}`);
    }
    return value.map((item, index) => reader(item, `${path}[${index}]`));
  };
}

export const object: Reader<Record<string, unknown>> = (value, path) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ProtocolError(`${path} must be an object`);
  }
  return value as Record<string, unknown>;
};

export const json: Reader<JsonValue> = (value) => (value ?? null) as JsonValue;

export const jsonObject: Reader<JsonObject> = (value, path) => object(value, path) as JsonObject;

/** String keys to string values, both short, and not many. */
export const labels: Reader<Record<string, string>> = (value, path) => {
  const entries = Object.entries(object(value, path));
  if (entries.length > LIMITS.labels)
    throw new ProtocolError(`${path} must have at most ${LIMITS.labels} entries`);
  const short = text(LIMITS.labelLength);
  return Object.fromEntries(
    entries.map(([key, item]) => [
      short(key, `${path} key`),
      short(item, `${path}.${key.slice(0, LIMITS.labelLength)}`),
    ]),
  );
};
