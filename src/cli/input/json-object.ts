import { InvalidArgumentError } from 'commander';
import type { CreateDispatchDto } from '../../hub/dispatch/dto/dispatch.dto.js';

type JsonObject = NonNullable<CreateDispatchDto['args']>;

/** An object as JSON has it, such as `{"lines":20}`. @throws InvalidArgumentError */
export function jsonObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Said below, without a quote of what may be secret.
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidArgumentError('It must be a JSON object such as {"lines":20}.');
  return value as JsonObject;
}
