import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsIn,
  IsInt,
  IsString,
  IsUUID,
  Matches,
  Max,
  Min,
} from 'class-validator';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import type { PersonalTokenRow } from '../personal-token.repository.js';
import type { TokenOptions } from '../personal-tokens.js';
import { TOKEN_ACCESSES, type TokenAccess } from '../principal.js';
import { Omittable } from '../../http/omittable.js';

const DAY_S = 24 * 60 * 60;
const PROJECTS_MOST = 50;
const ACCESS_SHOWN = {
  enum: TOKEN_ACCESSES,
  enumName: 'TokenAccess',
  description: '`read`: it changes nothing.',
};
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

  @ApiPropertyOptional({ ...ACCESS_SHOWN, default: 'write' })
  @Omittable()
  @IsIn(TOKEN_ACCESSES)
  access: TokenAccess = 'write';

  @ApiPropertyOptional({
    type: [String],
    format: 'uuid',
    minItems: 1,
    maxItems: PROJECTS_MOST,
    description: 'The ids of the only projects that it is good for. It gives no role in the hub then.',
  })
  @Omittable()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(PROJECTS_MOST)
  @ArrayUnique()
  @IsUUID(undefined, { each: true })
  projects?: string[];

  static toOptions({ name, expiresInS, access, projects }: CreatePersonalTokenDto): TokenOptions {
    return { name, expiresInS, access, projectIds: projects ?? null };
  }
}

export class PersonalTokenDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty()
  name: string;

  @ApiProperty({ description: 'The first characters of the token.' })
  prefix: string;

  @ApiProperty(ACCESS_SHOWN)
  access: TokenAccess;

  @ApiProperty({
    type: [String],
    format: 'uuid',
    nullable: true,
    description: 'The ids of the only projects that it is good for; null for all of its user.',
  })
  projects: string[] | null;

  @ApiProperty({ type: String, format: 'date-time' })
  createdAt: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'null: never.' })
  expiresAt: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  revokedAt: string | null;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'When it was used last, to some minutes; null: never.',
  })
  lastUsedAt: string | null;

  static of(row: PersonalTokenRow): PersonalTokenDto {
    const { id, name, prefix, access, projectIds, createdAt, expiresAt, revokedAt, lastUsedAt } = row;
    return {
      id,
      name,
      prefix,
      access,
      projects: projectIds,
      createdAt: createdAt.toISOString(),
      expiresAt: expiresAt?.toISOString() ?? null,
      revokedAt: revokedAt?.toISOString() ?? null,
      lastUsedAt: lastUsedAt?.toISOString() ?? null,
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
