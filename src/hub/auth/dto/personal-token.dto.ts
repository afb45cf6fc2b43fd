import { IsInt, IsString, Matches, Max, Min } from 'class-validator';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import type { PersonalTokenRow } from '../personal-token.repository.js';
import { Omittable } from './omittable.js';

const DAY_S = 24 * 60 * 60;
/** Printable, so that a list of tokens cannot be made to lie on a terminal. */
const NAME = /^[^\p{C}\p{Zl}\p{Zp}]{1,100}$/u;

export class CreatePersonalTokenDto {
  @ApiProperty({ minLength: 1, maxLength: 100, description: 'For people: what the token is for.' })
  @IsString()
  @Matches(NAME, { message: 'name must be 1 to 100 printable characters' })
  name: string;

  @ApiPropertyOptional({ type: 'integer', minimum: 60, maximum: 365 * DAY_S, default: 90 * DAY_S })
  @Omittable()
  @IsInt()
  @Min(60)
  @Max(365 * DAY_S)
  expiresInS = 90 * DAY_S;
}

export class PersonalTokenDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty()
  name: string;

  @ApiProperty({ description: 'The first characters of the token.' })
  prefix: string;

  @ApiProperty({ type: String, format: 'date-time' })
  createdAt: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'null: never.' })
  expiresAt: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  revokedAt: string | null;

  static of({ id, name, prefix, createdAt, expiresAt, revokedAt }: PersonalTokenRow): PersonalTokenDto {
    return {
      id,
      name,
      prefix,
      createdAt: createdAt.toISOString(),
      expiresAt: expiresAt?.toISOString() ?? null,
      revokedAt: revokedAt?.toISOString() ?? null,
    };
  }
}

export class CreatedPersonalTokenDto extends PersonalTokenDto {
  @ApiProperty({ description: 'The token itself. It is shown here and never again.' })
  token: string;
}

export class PersonalTokenPageDto {
  @ApiProperty({ type: [PersonalTokenDto] })
  items: PersonalTokenDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}
