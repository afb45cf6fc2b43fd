import { IsBoolean, IsInt, Max, Min } from 'class-validator';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import { AsGiven } from '../../problems/as-given.js';
import type { JoinTokenRow } from '../join-token.repository.js';
import { IsLabels } from './labels.js';
import { Omittable } from '../../http/omittable.js';

const LONGEST_S = 90 * 24 * 60 * 60;

export class CreateJoinTokenDto {
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 10_000, default: 1 })
  @Omittable()
  @IsInt()
  @Min(1)
  @Max(10_000)
  seats = 1;

  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: LONGEST_S, default: 3_600 })
  @Omittable()
  @IsInt()
  @Min(1)
  @Max(LONGEST_S)
  expiresInS = 3_600;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string' },
    description: 'Labels that every broker gets that joins with the token.',
  })
  @Omittable()
  @IsLabels()
  @AsGiven()
  labels: Record<string, string> = {};

  @ApiPropertyOptional({
    default: false,
    description: 'Whether the brokers that join with it may be attached to many projects at a time.',
  })
  @Omittable()
  @IsBoolean()
  shared = false;
}

export class JoinTokenDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({ description: 'The first characters of the token.' })
  prefix: string;

  @ApiProperty({ type: 'integer' })
  seats: number;

  @ApiProperty({ type: 'integer', description: 'Seats that brokers have taken.' })
  taken: number;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  labels: Record<string, string>;

  @ApiProperty({ description: 'Whether its brokers may be attached to many projects at a time.' })
  shared: boolean;

  @ApiProperty({ format: 'uuid', description: 'The user who made it.' })
  createdBy: string;

  @ApiProperty({ type: String, format: 'date-time' })
  createdAt: string;

  @ApiProperty({ type: String, format: 'date-time' })
  expiresAt: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  revokedAt: string | null;

  static of(row: JoinTokenRow): JoinTokenDto {
    const { id, prefix, seats, taken, labels, createdBy } = row;
    return {
      id,
      prefix,
      seats,
      taken,
      labels,
      shared: row.isShared,
      createdBy,
      createdAt: row.createdAt.toISOString(),
      expiresAt: row.expiresAt.toISOString(),
      revokedAt: row.revokedAt?.toISOString() ?? null,
    };
  }
}

export class CreatedJoinTokenDto extends JoinTokenDto {
  @ApiProperty({ description: 'The token itself. It is shown here and never again.' })
  token: string;
}

export class JoinTokenPageDto {
  @ApiProperty({ type: [JoinTokenDto] })
  items: JoinTokenDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}
