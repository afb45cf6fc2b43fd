import { thumbprintOf } from '../../auth/ed25519.js';
import { ApiProperty } from '../../http/described.js';
import type { BrokerRow } from '../broker.repository.js';
import { PRESENCE_STATES } from '../presence-state.js';
import { SERVICE_STATES, type ServiceState } from '../service-state.js';
import { TRANSPORTS } from '../transport.js';
import { ageS } from './age.js';

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

  @ApiProperty({ description: 'Seconds since it was let go of, or since it is held.' })
  ageS: number;
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

  @ApiProperty({
    description:
      'Seconds since it was last seen. Of one that is quiet and well that is written once a minute at most.',
  })
  ageS: number;
}

export class ServiceDto {
  @ApiProperty({
    enum: SERVICE_STATES,
    description:
      '`cordoned`: no new agents. `draining`: no starts either, and its agents are being stopped. `drained`: none runs.',
  })
  state: ServiceState;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'null while it is `open`.' })
  since: string | null;

  @ApiProperty({ type: Number, nullable: true, description: 'Seconds since then.' })
  ageS: number | null;
}

export class BrokerKeyWaitingDto {
  @ApiProperty({ description: 'RFC 7638.' })
  thumbprint: string;

  @ApiProperty({ format: 'date-time', description: 'When it lapses, if it was not used by then.' })
  confirmBy: string;
}

export class BrokerKeyDto {
  @ApiProperty({ description: 'RFC 7638.' })
  thumbprint: string;

  @ApiProperty({ format: 'date-time', description: 'When the hub met it.' })
  createdAt: string;

  @ApiProperty({ description: 'Seconds since then.' })
  ageS: number;

  @ApiProperty({
    type: BrokerKeyWaitingDto,
    nullable: true,
    description: 'One that takes its place with its first use, where a rotation is under way.',
  })
  waiting: BrokerKeyWaitingDto | null;
}

/** What is known of a broker by itself, in whichever projects it is. */
export class BrokerFactsDto {
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

  @ApiProperty({
    type: 'integer',
    description: 'Grows each time the broker says what it can do; 0 until it has.',
  })
  capabilitiesRevision: number;

  @ApiProperty()
  software: string;

  @ApiProperty({ description: 'Whether it may be attached to many projects at a time.' })
  shared: boolean;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'For ever, if it is set.' })
  revokedAt: string | null;

  @ApiProperty({ type: 'integer', description: 'Grows with what an operator changes; the `ETag`.' })
  revision: number;

  @ApiProperty({ type: ServiceDto, description: 'Whether it is given new work, as an operator has it.' })
  service: ServiceDto;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description:
      'When another instance with its credential took its place last. That is a copy of its home, or itself started ' +
      'anew before its old link was known to be over.',
  })
  displacedAt: string | null;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'When instances with its key displaced each other for the third time in a minute.',
  })
  keyFlaggedAt: string | null;

  @ApiProperty({ type: BrokerKeyDto, nullable: true, description: 'null once it was revoked.' })
  key: BrokerKeyDto | null;

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

  static ofFacts(row: BrokerRow): BrokerFactsDto {
    const { id, name, labels, capabilities, capabilitiesRevision, software } = row;
    return {
      id,
      name,
      labels,
      capabilities,
      capabilitiesRevision,
      software,
      shared: row.isShared,
      createdAt: row.createdAt.toISOString(),
      revokedAt: row.revokedAt?.toISOString() ?? null,
      revision: row.revision,
      service: serviceOf(row),
      displacedAt: row.displacedAt?.toISOString() ?? null,
      keyFlaggedAt: row.keyFlaggedAt?.toISOString() ?? null,
      key: keyOf(row),
      ownership: ownershipOf(row),
      presence: presenceOf(row),
    };
  }
}

function ownershipOf({
  replicaId,
  epoch,
  transport,
  since,
  releasedAt,
  releaseReason,
  now,
}: BrokerRow): OwnershipDto | null {
  if (epoch === null || transport === null || since === null) return null;
  return {
    replica: replicaId,
    epoch,
    transport,
    since: since.toISOString(),
    releasedAt: releasedAt?.toISOString() ?? null,
    releaseReason,
    ageS: ageS(releasedAt ?? since, now),
  };
}

function keyOf({ keys, now }: BrokerRow): BrokerKeyDto | null {
  if (keys?.live === undefined) return null;
  const { live, waiting } = keys;
  const createdAt = new Date(live.createdAt);
  return {
    thumbprint: thumbprintOf(live.publicKey),
    createdAt: createdAt.toISOString(),
    ageS: ageS(createdAt, now),
    waiting:
      waiting === undefined || waiting.confirmBy === null
        ? null
        : {
            thumbprint: thumbprintOf(waiting.publicKey),
            confirmBy: new Date(waiting.confirmBy).toISOString(),
          },
  };
}

function serviceOf({ service, serviceSince, now }: BrokerRow): ServiceDto {
  return {
    state: service,
    since: serviceSince?.toISOString() ?? null,
    ageS: serviceSince === null ? null : ageS(serviceSince, now),
  };
}

function presenceOf({
  presence,
  load,
  running,
  lastSeenAt,
  presenceChangedAt,
  now,
}: BrokerRow): PresenceDto | null {
  if (presence === null || lastSeenAt === null || presenceChangedAt === null) return null;
  return {
    state: presence,
    load,
    running: running ?? 0,
    lastSeenAt: lastSeenAt.toISOString(),
    changedAt: presenceChangedAt.toISOString(),
    ageS: ageS(lastSeenAt, now),
  };
}
