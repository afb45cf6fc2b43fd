import { ApiProperty } from '../../http/described.js';
import { LIVE_STATES, ENDED_STATES, type DispatchState } from '../state.js';
import { CAUSES, explain, type Cause, type Circumstances } from '../why.js';

export class FactDto {
  @ApiProperty({ example: 'broker last heard of' })
  name: string;

  @ApiProperty({ type: String, nullable: true })
  value: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    format: 'date-time',
    description: 'Since when, or when it was seen.',
  })
  at: string | null;

  @ApiProperty({
    type: Number,
    nullable: true,
    description: 'Seconds since then, by the database; ahead is negative.',
  })
  ageS: number | null;
}

export class HolderDto {
  @ApiProperty({ format: 'uuid' })
  replica: string;

  @ApiProperty({ type: String, nullable: true })
  name: string | null;

  @ApiProperty({ type: String, nullable: true })
  state: string | null;

  @ApiProperty({ description: 'The epoch of the connection.' })
  epoch: number;
}

export class WhyDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({ enum: [...LIVE_STATES, ...ENDED_STATES] })
  state: DispatchState;

  @ApiProperty({ enum: CAUSES })
  cause: Cause;

  @ApiProperty({ description: 'The cause in a sentence.' })
  explanation: string;

  @ApiProperty({ description: 'What would unblock it.' })
  unblocks: string;

  @ApiProperty({
    type: HolderDto,
    nullable: true,
    description: "The replica that holds the broker's connection.",
  })
  holder: HolderDto | null;

  @ApiProperty({
    type: 'integer',
    description: 'Live commands of the broker before it, counted to 100, or to one more than its window.',
  })
  position: number;

  @ApiProperty({
    type: String,
    nullable: true,
    format: 'uuid',
    description: 'The command that it waits for.',
  })
  blockedBy: string | null;

  @ApiProperty({ type: [FactDto] })
  facts: FactDto[];

  static of(about: Circumstances): WhyDto {
    const { holderId, epoch } = about;
    return {
      id: about.id,
      state: about.state,
      ...explain(about),
      holder:
        holderId === null
          ? null
          : { replica: holderId, name: about.holderName, state: about.holderState, epoch: epoch ?? 0 },
      position: about.position,
      blockedBy: about.blockerId,
      facts: factsOf(about),
    };
  }
}

/** @param now the database's time */
export function factAt(now: Date) {
  return (name: string, value: string | number | null, at: Date | null): FactDto => ({
    name,
    value: value === null ? null : String(value),
    at: at?.toISOString() ?? null,
    ageS: at === null ? null : Math.round((now.getTime() - at.getTime()) / 100) / 10,
  });
}

function factsOf(about: Circumstances): FactDto[] {
  const fact = factAt(about.now);
  return [
    fact('accepted', null, about.createdAt),
    fact('deadline', null, about.deadlineAt),
    fact('attempt', about.attempt, about.claimedAt),
    fact('failures', about.failures, null),
    fact('contract', about.contract, null),
    fact('connection', about.holderId === null ? 'none' : 'held', about.heldSince),
    fact('connection let go of', about.releaseReason, about.releasedAt),
    fact('project', about.projectName, null),
    fact(
      'attachment',
      about.isReadOnly ? `${about.attachment ?? 'none'}, read-only` : about.attachment,
      about.attachmentChangedAt,
    ),
    fact('presence', about.presence, about.brokerSeenAt),
    fact('replica', about.holderState, about.holderSeenAt),
    fact(
      'unacknowledged of window',
      about.windowSize === null ? null : `${about.unacked} of ${about.windowSize}`,
      null,
    ),
    fact('blocking command', about.blockerState, about.blockerSince),
    fact('rests after a failure until', null, about.retryAt),
    fact('not before', null, about.notBefore),
    fact('cancel asked for', null, about.cancelRequestedAt),
  ].filter(({ value, at }) => value !== null || at !== null);
}
