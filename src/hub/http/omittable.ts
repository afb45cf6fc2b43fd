import { ValidateIf } from 'class-validator';

/**
 * A field that may be left out, and then has its default. null is a value like any other here: `IsOptional` would
 * let it pass unchecked, and a lifetime of null is one without an end.
 */
export function Omittable(): PropertyDecorator {
  return ValidateIf((_body, value) => value !== undefined);
}
