import { IsOptional, IsString, Length, Matches } from 'class-validator';
import { IsLabels } from '../../auth/dto/labels.js';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import { IsName } from '../../http/name.js';
import type { BrokerRow } from '../broker.repository.js';
import { PRESENCE_STATES } from '../presence-state.js';
import { TRANSPORTS } from '../transport.js';

export class JoinBrokerDto {
  @ApiProperty({ description: 'A join token.' })
  @IsString()
  @Length(1, 256)
  token: string;

  @ApiProperty({ description: 'Ed25519 public key, base64url of its 32 bytes.' })
  @IsString()
  @Length(43, 43)
  publicKey: string;

  @IsName()
  name: string;

  @ApiProperty({ description: 'SHA-256 of the machine id, hex.' })
  @Matches(/^[0-9a-f]{64}$/, { message: 'must be 64 hexadecimal digits' })
  fingerprint: string;

  @ApiProperty()
  @IsString()
  @Length(1, 64)
  software: string;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' } })
  @IsOptional()
  @IsLabels()
  labels: Record<string, string> = {};
}

export class JoinedBrokerDto {
  @ApiProperty({ format: 'uuid' })
  brokerId: string;

  @ApiProperty()
  name: string;

  @ApiProperty({ description: 'The audience of the assertions with which the broker renews its access.' })
  hubId: string;

  @ApiProperty({ description: 'Opens the control channel.' })
  accessToken: string;

  @ApiProperty({ description: 'Seconds.' })
  expiresInS: number;
}

export class OwnershipDto {
  @ApiProperty({
    format: 'uuid',
    type: String,
    nullable: true,
    description: 'The replica that holds the connection.',
  })
  replica: string | null;

  @ApiProperty({ description: 'Grows by one with each connection.' })
  epoch: number;

  @ApiProperty({ enum: TRANSPORTS })
  transport: string;

  @ApiProperty({ format: 'date-time' })
  since: string;

  @ApiProperty({ format: 'date-time', type: String, nullable: true })
  releasedAt: string | null;

  @ApiProperty({ type: String, nullable: true })
  releaseReason: string | null;
}

export class PresenceDto {
  @ApiProperty({ enum: PRESENCE_STATES })
  state: string;

  @ApiProperty({ type: Number, nullable: true })
  load: number | null;

  @ApiProperty({ description: 'Agents that run there, by its last report.' })
  running: number;

  @ApiProperty({ format: 'date-time' })
  lastSeenAt: string;

  @ApiProperty({ format: 'date-time' })
  changedAt: string;
}

export class BrokerDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty()
  name: string;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  labels: Record<string, string>;

  @ApiProperty({
    type: [String],
    nullable: true,
    description: 'null until it has connected for the first time.',
  })
  capabilities: string[] | null;

  @ApiProperty()
  software: string;

  @ApiProperty({ description: 'Whether it may be attached to many projects at a time.' })
  shared: boolean;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;

  @ApiProperty({
    type: OwnershipDto,
    nullable: true,
    description: 'null until it has connected for the first time.',
  })
  ownership: OwnershipDto | null;

  @ApiProperty({
    type: PresenceDto,
    nullable: true,
    description: 'null until it has connected for the first time.',
  })
  presence: PresenceDto | null;

  static of(row: BrokerRow): BrokerDto {
    const { id, name, labels, capabilities, software } = row;
    return {
      id,
      name,
      labels,
      capabilities,
      software,
      shared: row.isShared,
      createdAt: row.createdAt.toISOString(),
      ownership: ownershipOf(row),
      presence: presenceOf(row),
    };
  }
}

export class BrokerPageDto {
  @ApiProperty({ type: [BrokerDto] })
  items: BrokerDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}

function ownershipOf({
  replicaId,
  epoch,
  transport,
  since,
  releasedAt,
  releaseReason,
}: BrokerRow): OwnershipDto | null {
  if (epoch === null || transport === null || since === null) return null;
  return {
    replica: replicaId,
    epoch,
    transport,
    since: since.toISOString(),
    releasedAt: releasedAt?.toISOString() ?? null,
    releaseReason,
  };
}

function presenceOf({
  presence,
  load,
  running,
  lastSeenAt,
  presenceChangedAt,
}: BrokerRow): PresenceDto | null {
  if (presence === null || lastSeenAt === null || presenceChangedAt === null) return null;
  return {
    state: presence,
    load,
    running: running ?? 0,
    lastSeenAt: lastSeenAt.toISOString(),
    changedAt: presenceChangedAt.toISOString(),
  };
}
