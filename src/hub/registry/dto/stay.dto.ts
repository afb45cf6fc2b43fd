import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import { IsISO8601, Matches } from 'class-validator';
import { Omittable } from '../../http/omittable.js';
import { PageQuery } from '../../http/page.js';
import type { StayRow } from '../stay.repository.js';

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

export class HistoryQuery extends PageQuery {
  @ApiPropertyOptional({ format: 'date-time', description: 'Only the stay that this moment lies in.' })
  @Omittable()
  @Matches(MOMENT, { message: 'must be a time such as 2026-08-01T12:00:00Z' })
  @IsISO8601({ strict: true }, { message: 'must be a time such as 2026-08-01T12:00:00Z' })
  at?: string;
}

class StayedAtDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({ type: String, nullable: true, description: 'null where the replica is forgotten.' })
  name: string | null;
}

/** One replica's ownership of a broker, under one epoch. */
export class StayDto {
  @ApiProperty({ format: 'uuid', description: 'That of the connection.' })
  id: string;

  @ApiProperty({ type: StayedAtDto })
  replica: StayedAtDto;

  @ApiProperty({ type: 'integer' })
  epoch: number;

  @ApiProperty({ format: 'date-time' })
  from: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'null while it lasts.' })
  to: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description:
      'Why it ended: `newer_connection` and `another_instance` took its place, `replica_gone`, `kicked`, `revoked`, ' +
      '`never_linked` where the broker could not be told of it, `not_told`, or how the link ended.',
  })
  reason: string | null;

  static of({ id, replicaId, replicaName, epoch, beganAt, endedAt, endReason }: StayRow): StayDto {
    return {
      id,
      replica: { id: replicaId, name: replicaName },
      epoch,
      from: beganAt.toISOString(),
      to: endedAt?.toISOString() ?? null,
      reason: endReason,
    };
  }
}

export class StayPageDto {
  @ApiProperty({ type: [StayDto] })
  items: StayDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}
