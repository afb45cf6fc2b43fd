import { IsInt, Max, Min } from 'class-validator';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import { INVITE_STATES, type InviteRow, type InviteState } from '../invite.repository.js';
import { ROLES, type Role } from '../principal.js';
import { Omittable } from '../../http/omittable.js';

const DAY_S = 24 * 3_600;

export class CreateInviteDto {
  @ApiPropertyOptional({ type: 'integer', minimum: 60, maximum: 30 * DAY_S, default: 3 * DAY_S })
  @Omittable()
  @IsInt()
  @Min(60)
  @Max(30 * DAY_S)
  expiresInS = 3 * DAY_S;
}

export class CreatedInviteDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({ description: 'With it a password is set, once. It is shown here and never again.' })
  token: string;

  @ApiProperty({ type: String, format: 'date-time' })
  expiresAt: string;
}

export class InviteDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({ format: 'uuid', description: 'Of the user whom it is for.' })
  userId: string;

  @ApiProperty()
  name: string;

  @ApiProperty({ type: String, nullable: true })
  email: string | null;

  @ApiProperty({ enum: ROLES, enumName: 'Role' })
  role: Role;

  @ApiProperty({ format: 'uuid', description: 'The user who made it.' })
  createdBy: string;

  @ApiProperty({ type: String, nullable: true })
  createdByName: string | null;

  @ApiProperty({ type: String, format: 'date-time' })
  createdAt: string;

  @ApiProperty({ type: String, format: 'date-time', description: 'Of one that was revoked, by then.' })
  expiresAt: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  redeemedAt: string | null;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'By somebody, or since another was made for its user.',
  })
  revokedAt: string | null;

  @ApiProperty({
    enum: INVITE_STATES,
    enumName: 'InviteState',
    description: 'One that is open can be redeemed while its user is let in.',
  })
  state: InviteState;

  static of({ createdAt, expiresAt, redeemedAt, revokedAt, ...row }: InviteRow): InviteDto {
    return {
      ...row,
      createdAt: createdAt.toISOString(),
      expiresAt: expiresAt.toISOString(),
      redeemedAt: redeemedAt?.toISOString() ?? null,
      revokedAt: revokedAt?.toISOString() ?? null,
    };
  }
}

export class InvitePageDto {
  @ApiProperty({ type: [InviteDto] })
  items: InviteDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}
