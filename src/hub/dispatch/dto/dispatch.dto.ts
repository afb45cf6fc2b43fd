import { IsIn, IsInt, IsObject, IsOptional, IsString, IsUUID, Length, Max, Min } from 'class-validator';
import type { BrokerError, JsonObject, JsonValue } from '../../../protocol/frame.js';
import { OPS } from '../../../protocol/op.js';
import { ApiProperty } from '../../http/described.js';
import { Omittable } from '../../http/omittable.js';
import { PageQuery } from '../../http/page.js';
import { IsTime } from '../../http/time.js';
import { AsGiven } from '../../problems/as-given.js';
import { DEADLINE_MOST_S, DEADLINE_S } from '../dispatches.js';
import {
  CONTRACTS,
  ENDED_STATES,
  LANES,
  LIVE_STATES,
  type Contract,
  type DispatchState,
  type Lane,
} from '../state.js';
import type { TrailStep } from '../record.js';

/** Those of an agent go through its own routes. */
const OPS_FOR_BROKERS = Object.keys(OPS).filter((op) => !op.startsWith('agent.'));

const STATES = [...LIVE_STATES, ...ENDED_STATES];

/** What ends by itself. */
export class WithDeadlineDto {
  @ApiProperty({
    required: false,
    default: DEADLINE_S,
    minimum: 1,
    maximum: DEADLINE_MOST_S,
    description: 'Seconds.',
  })
  @Omittable()
  @IsInt()
  @Min(1)
  @Max(DEADLINE_MOST_S)
  deadlineS?: number;
}

export class CreateDispatchDto extends WithDeadlineDto {
  @ApiProperty({
    example: 'broker.ping',
    maxLength: 128,
    description:
      `What the broker is to do: ${OPS_FOR_BROKERS.map((op) => `\`${op}\``).join(', ')}, or an op of its own that it ` +
      'announces as a capability.',
  })
  @IsString()
  @Length(1, 128)
  op: string;

  @ApiProperty({
    type: Object,
    required: false,
    description: 'Arguments of the op, at most 256 KiB of JSON.',
  })
  @Omittable()
  @IsObject()
  @AsGiven()
  args?: JsonObject;

  @ApiProperty({
    required: false,
    description: 'A project by id or name, by whose rules it is judged: the broker must be attached to it.',
  })
  @Omittable()
  @IsString()
  @Length(1, 64)
  project?: string;

  @ApiProperty({
    required: false,
    type: String,
    nullable: true,
    description:
      'Commands of one broker with the same key run in order. Default: the broker itself; null for no order.',
  })
  @IsOptional()
  @IsString()
  @Length(1, 256)
  orderingKey?: string | null;

  @ApiProperty({ enum: ['normal', 'bulk'], required: false, default: 'normal' })
  @Omittable()
  @IsIn(['normal', 'bulk'])
  lane?: Lane;

  @ApiProperty({
    required: false,
    format: 'date-time',
    description:
      'Not to be sent sooner. Until then it holds up no other command. It must be before the deadline.',
  })
  @Omittable()
  @IsTime()
  notBefore?: string;

  @ApiProperty({
    enum: CONTRACTS,
    required: false,
    default: 'until',
    description:
      'While the broker is away: `until` waits until the deadline; `now_or_fail` is refused, or fails with the link; ' +
      '`on_attach` goes out on the next link or fails with it; `latest_only` waits, and a later one of its key ' +
      'takes its place.',
  })
  @Omittable()
  @IsIn(CONTRACTS)
  contract?: Contract;
}

export const CANCEL_OUTCOMES = ['cancelling', 'never_sent', 'stopped', 'too_late', 'unknown'] as const;
export type CancelOutcome = (typeof CANCEL_OUTCOMES)[number];

export class CancelDto {
  @ApiProperty({ format: 'date-time' })
  requestedAt: string;

  @ApiProperty({
    enum: CANCEL_OUTCOMES,
    description:
      '`never_sent` and `stopped`: it has ended as cancelled. `too_late`: it had its own end. `unknown`: the broker ' +
      'did not say.',
  })
  outcome: CancelOutcome;
}

export class ProgressDto {
  @ApiProperty({
    type: Number,
    nullable: true,
    minimum: 0,
    maximum: 1,
    description: 'The part that is done.',
  })
  fraction: number | null;

  @ApiProperty({ type: String, nullable: true, description: "The broker's words, at most 512 characters." })
  note: string | null;

  @ApiProperty({
    format: 'date-time',
    description: 'When it was last heard of; also where only the state of its agent has changed.',
  })
  at: string;
}

export class DispatchDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty()
  op: string;

  @ApiProperty({ enum: STATES })
  state: DispatchState;

  @ApiProperty({ enum: LANES })
  lane: Lane;

  @ApiProperty({ type: String, nullable: true, format: 'uuid', description: 'null for none.' })
  project: string | null;

  @ApiProperty({ type: Object, description: 'The broker: id and name.' })
  broker: { id: string; name: string | null };

  @ApiProperty({ type: String, nullable: true, format: 'uuid' })
  agent: string | null;

  @ApiProperty({ type: String, nullable: true })
  orderingKey: string | null;

  @ApiProperty({ description: 'Times it was put on the wire.' })
  attempt: number;

  @ApiProperty({ description: 'Times it failed in a way that may pass, or was begun and lost.' })
  failures: number;

  @ApiProperty({ enum: CONTRACTS })
  contract: Contract;

  @ApiProperty({ type: String, nullable: true, format: 'date-time' })
  notBefore: string | null;

  @ApiProperty({ type: CancelDto, nullable: true, description: 'null where nobody asked for it.' })
  cancel: CancelDto | null;

  @ApiProperty({
    type: String,
    nullable: true,
    format: 'uuid',
    description: 'The ended command that this one does again.',
  })
  redriveOf: string | null;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;

  @ApiProperty({ format: 'date-time' })
  deadlineAt: string;

  @ApiProperty({ type: String, nullable: true, format: 'date-time' })
  endedAt: string | null;

  @ApiProperty({
    type: ProgressDto,
    nullable: true,
    description:
      'How far its latest attempt is, or was when it ended; null where the broker said nothing of that.',
  })
  progress: ProgressDto | null;

  @ApiProperty({
    type: Number,
    nullable: true,
    description: 'Live commands of the broker before it, counted to 100, or to one more than its window.',
  })
  position: number | null;

  @ApiProperty({ type: String, nullable: true, description: 'Why it has not ended; null once it has.' })
  reason: string | null;

  @ApiProperty({ type: Object, nullable: true, description: "The op's body, where it succeeded." })
  result: JsonValue;

  @ApiProperty({ type: Object, nullable: true, description: 'Code and message, where it did not.' })
  error: BrokerError | null;
}

/** The one answer for work that was accepted, wherever it was asked for. */
export class DispatchEnvelopeDto {
  @ApiProperty({ type: DispatchDto })
  dispatch: DispatchDto;
}

export class DispatchListDto {
  @ApiProperty({ type: [DispatchDto] })
  items: DispatchDto[];

  @ApiProperty({
    type: String,
    nullable: true,
    description:
      'Give it as `cursor` to read on; null at the end. A page of results of more than 4 MiB ends before `limit`.',
  })
  nextCursor: string | null;
}

export class TrailDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({ type: [Object], description: 'Steps in the order in which they were recorded.' })
  trail: TrailStep[];
}

export class ListDispatchesDto extends PageQuery {
  @ApiProperty({ required: false, description: 'A broker by id or name.' })
  @Omittable()
  @IsString()
  @Length(1, 64)
  broker?: string;

  @ApiProperty({ required: false, description: 'A project by id or name.' })
  @Omittable()
  @IsString()
  @Length(1, 64)
  project?: string;

  @ApiProperty({ required: false, format: 'uuid' })
  @Omittable()
  @IsUUID()
  agent?: string;

  @ApiProperty({ required: false, enum: STATES })
  @Omittable()
  @IsIn(STATES)
  state?: DispatchState;

  @ApiProperty({ required: false, description: 'An op.' })
  @Omittable()
  @IsString()
  @Length(1, 128)
  op?: string;
}
