import { Transform, type TransformFnParams } from 'class-transformer';

type Members = Readonly<Record<string, unknown>>;

/** By the copy of an object, what it was copied from. */
const COPIED = new WeakMap<object, Members>();

/**
 * The same, or a copy in which the names that an object has something of from birth stand in quotes, where there are such. Pipe and
 * transformer pass over members of such names without a word; so they are refused like any other that nothing is known of.
 *
 * The value must not be nested deeper than a call of itself for each level goes.
 */
export function withQuotedNames(value: unknown): unknown {
  return hasInbornNames(value) ? quoted(value) : value;
}

/** Nearly no body has any, and is not copied. */
function hasInbornNames(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasInbornNames);
  if (!isObject(value)) return false;
  return Object.keys(value).some((name) => isInborn(name) || hasInbornNames(value[name]));
}

function quoted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(quoted);
  if (!isObject(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value))
    copy[isInborn(name) ? JSON.stringify(name) : name] = quoted(member);
  COPIED.set(copy, value);
  return copy;
}

const isInborn = (name: string): boolean => name in Object.prototype || name === 'prototype';

const isObject = (value: unknown): value is Members => typeof value === 'object' && value !== null;

/** For a member whose own members the caller names: whatever they are called, it is what the body has there. */
export function AsGiven(): PropertyDecorator {
  return Transform(({ obj, key }: TransformFnParams) => {
    const copy = obj as Members;
    return (COPIED.get(copy) ?? copy)[key];
  });
}
