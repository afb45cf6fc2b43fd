import { REPLICA_STATES, type ReplicaRow, type ReplicaState } from '../../cluster/replica-row.js';
import { IsInt, Max, Min } from 'class-validator';
import { Omittable } from '../../http/omittable.js';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';

export class ReplicaDto {
  @ApiProperty({ format: 'uuid', description: 'Made anew at every boot.' })
  id: string;

  @ApiProperty()
  name: string;

  @ApiProperty({ enum: REPLICA_STATES })
  state: ReplicaState;

  @ApiProperty({ type: String, nullable: true })
  publicUrl: string | null;

  @ApiProperty()
  software: string;

  @ApiProperty({ description: 'Brokers whose connections it holds.' })
  brokers: number;

  @ApiProperty({ format: 'date-time' })
  startedAt: string;

  @ApiProperty({ format: 'date-time' })
  lastSeenAt: string;

  @ApiProperty({ format: 'date-time', type: String, nullable: true })
  endedAt: string | null;

  static of(row: ReplicaRow): ReplicaDto {
    const { id, name, state, publicUrl, software, brokers } = row;
    return {
      id,
      name,
      state,
      publicUrl,
      software,
      brokers,
      startedAt: row.startedAt.toISOString(),
      lastSeenAt: row.lastSeenAt.toISOString(),
      endedAt: row.endedAt?.toISOString() ?? null,
    };
  }
}

export class DrainReplicaDto {
  @ApiPropertyOptional({
    minimum: 1,
    maximum: 3600,
    description:
      'Seconds within which it is over, whatever is left then; as the replica was configured where left out.',
  })
  @Omittable()
  @IsInt({ message: 'must be a whole number of seconds' })
  @Min(1, { message: 'must be at least 1' })
  @Max(3600, { message: 'must be at most 3600' })
  deadlineS?: number;
}

export class ReplicaPageDto {
  @ApiProperty({ type: [ReplicaDto] })
  items: ReplicaDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}
