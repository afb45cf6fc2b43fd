import { Transform, type TransformFnParams } from 'class-transformer';

type Members = Readonly<Record<string, unknown>>;

/** By the copy of an object, what it was copied from. */
const COPIED = new WeakMap<object, Members>();

/**
 * A copy in which the names that an object has something of from birth stand in quotes. Pipe and transformer pass over
 * members of such names without a word; so they are refused like any other that nothing is known of.
 *
 * The value must not be nested deeper than a call of itself for each level goes.
 */
export function withQuotedNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withQuotedNames);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    const isInborn = name in Object.prototype || name === 'prototype';
    copy[isInborn ? JSON.stringify(name) : name] = withQuotedNames(member);
  }
  COPIED.set(copy, value as Members);
  return copy;
}

/** For a member whose own members the caller names: whatever they are called, it is what the body has there. */
export function AsGiven(): PropertyDecorator {
  return Transform(({ obj, key }: TransformFnParams) => {
    const copy = obj as Members;
    return (COPIED.get(copy) ?? copy)[key];
  });
}
