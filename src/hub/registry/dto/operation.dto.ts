import { ApiPropertyOptional } from '../../http/described.js';
import { Matches, ValidateBy } from 'class-validator';
import { LIMITS } from '../../../protocol/limits.js';
import { Omittable } from '../../http/omittable.js';
import { isLabels } from '../../auth/dto/labels.js';
import { NAME } from '../../http/name.js';
import { AsGiven } from '../../problems/as-given.js';

/** A close carries 123 bytes at most, and the word that it was a kick goes with it. */
const REASON = /^[\x20-\x7e]{1,100}$/;

/** What is left out stays as it is. */
export class UpdateBrokerDto {
  @ApiPropertyOptional({ pattern: NAME.source, maxLength: 63, description: 'Unique in the hub.' })
  @Omittable()
  @Matches(NAME, { message: 'must be 1 to 63 lower-case letters, digits and inner hyphens' })
  name?: string;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string', nullable: true },
    example: { zone: 'eu', rack: null },
    description:
      'Those that are named are set, or taken away where they are null; all others stay. They win over what the broker ' +
      'says of itself, and what is taken away comes back with its next link if it says so itself.',
  })
  @Omittable()
  @IsLabelChange()
  @AsGiven()
  labels?: Record<string, string | null>;
}

export class KickDto {
  @ApiPropertyOptional({ pattern: REASON.source, description: 'For the log of the broker, and its history.' })
  @Omittable()
  @Matches(REASON, { message: 'must be 1 to 100 printable ASCII characters' })
  reason?: string;
}

function IsLabelChange(): PropertyDecorator {
  const rule = `must be at most ${LIMITS.labels} texts or nulls by name, each of at most ${LIMITS.labelLength} characters`;
  return ValidateBy({
    name: 'isLabelChange',
    validator: { validate: isLabelChange, defaultMessage: () => rule },
  });
}

function isLabelChange(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return isLabels(Object.fromEntries(Object.entries(value).map(([name, text]) => [name, text ?? ''])));
}
