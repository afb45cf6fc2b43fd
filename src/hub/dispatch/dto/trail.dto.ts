import { IsRFC3339, IsString, Length } from 'class-validator';
import type { BrokerError } from '../../../protocol/frame.js';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import { Omittable } from '../../http/omittable.js';
import { PageQuery } from '../../http/page.js';
import type { TrailFacts, TrailStep } from '../record.js';
import { ENDED_STATES, LANES, LIVE_STATES, type DispatchState, type Lane } from '../state.js';

export class ListTrailsDto extends PageQuery {
  @ApiPropertyOptional({
    format: 'date-time',
    description: 'Only what was asked for at this time or later, as its id tells it.',
  })
  @Omittable()
  @IsRFC3339()
  since?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'Only what was asked for before this time.' })
  @Omittable()
  @IsRFC3339()
  until?: string;

  @ApiPropertyOptional({ description: 'A broker by id or name.' })
  @Omittable()
  @IsString()
  @Length(1, 64)
  broker?: string;
}

/** What a proof needs to know of one dispatch. */
export class TrailFactsDto implements TrailFacts {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({ description: 'The place among all commands in which it was stored.' })
  seq: number;

  @ApiProperty({ type: Object, description: 'The broker: id and name.' })
  broker: { id: string; name: string | null };

  @ApiProperty({ type: String, nullable: true, format: 'uuid' })
  agent: string | null;

  @ApiProperty()
  op: string;

  @ApiProperty({ enum: LANES })
  lane: Lane;

  @ApiProperty({ type: String, nullable: true })
  orderingKey: string | null;

  @ApiProperty({ enum: [...LIVE_STATES, ...ENDED_STATES] })
  state: DispatchState;

  @ApiProperty({ description: 'Times it was put on the wire.' })
  attempt: number;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;

  @ApiProperty({
    type: String,
    nullable: true,
    format: 'date-time',
    description: 'Not sent sooner, and in the way of no other of its key; null for at once.',
  })
  notBefore: string | null;

  @ApiProperty({ format: 'date-time' })
  deadlineAt: string;

  @ApiProperty({ type: String, nullable: true, format: 'date-time' })
  endedAt: string | null;

  @ApiProperty({ type: Object, nullable: true, description: 'Code and message, where it did not succeed.' })
  error: BrokerError | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description:
      'The `Idempotency-Key` of the request that asked for it, and for one of several of a request a space and its part: ' +
      'the place in a batch, the id of the agent, or the id of what is done again.',
  })
  idempotencyKey: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    format: 'uuid',
    description: 'The ended one that it does again.',
  })
  redriveOf: string | null;

  @ApiProperty({ description: 'How often it is on record: 1, unless a row was left behind.' })
  records: number;

  @ApiProperty({ format: 'date-time', description: "The database's time when it was read." })
  readAt: string;

  @ApiProperty({ type: [Object], description: 'Steps in the order in which they were recorded.' })
  trail: TrailStep[];
}

export class TrailListDto {
  @ApiProperty({ type: [TrailFactsDto] })
  items: TrailFactsDto[];

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Give it as `cursor` to read on; null at the end.',
  })
  nextCursor: string | null;
}
