import { applyDecorators } from '@nestjs/common';
import { Matches } from 'class-validator';
import { ApiProperty } from './described.js';

export const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** A name that people give: short, lower-case, usable in an address and wherever an id is. */
export function IsName(): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ pattern: NAME.source, maxLength: 63 }),
    Matches(NAME, { message: 'must be 1 to 63 lower-case letters, digits and inner hyphens' }),
  );
}
