import { IsIn, IsString, Length } from 'class-validator';
import { Omittable } from '../../http/omittable.js';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import { PageQuery } from '../../http/page.js';
import { STRAY_KINDS, STRAY_PHASES, STRAY_REASONS, type StrayKind, type StrayReason } from '../drift.js';
import type { StrayRow } from '../stray.repository.js';

export class ListStraysQuery extends PageQuery {
  @ApiPropertyOptional({ description: 'A broker by id or name.' })
  @Omittable()
  @IsString()
  @Length(1, 64)
  broker?: string;

  @ApiPropertyOptional({ description: 'An agent by id or name; a stranger has an id alone.' })
  @Omittable()
  @IsString()
  @Length(1, 64)
  agent?: string;

  @ApiPropertyOptional({ enum: STRAY_KINDS })
  @Omittable()
  @IsIn(STRAY_KINDS)
  kind?: StrayKind;
}

/** A run that goes on at a broker, and that nobody wants there. */
export class StrayDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({
    enum: STRAY_KINDS,
    description: '`orphan`: of an agent that the hub knows; `stranger`: of one that it has never had.',
  })
  kind: StrayKind;

  @ApiProperty({
    enum: STRAY_REASONS,
    description:
      'Why nobody wants it there: the hub does not know the agent, or has deleted it, or has it on another broker; the run ' +
      'has ended by what is on record; or the agent has another run by now.',
  })
  reason: StrayReason;

  @ApiProperty({ type: Object, description: 'The broker that it runs on: id and name.' })
  broker: { id: string; name: string };

  @ApiProperty({ type: Object, description: 'The agent: id, and name where the hub knows it.' })
  agent: { id: string; name: string | null };

  @ApiProperty({ format: 'uuid' })
  runId: string;

  @ApiProperty({ enum: STRAY_PHASES, description: 'What the broker says.' })
  phase: string;

  @ApiProperty({
    type: String,
    nullable: true,
    format: 'uuid',
    description: 'The latest command that is to end it; null where strays of its kind are only reported.',
  })
  dispatchId: string | null;

  @ApiProperty({ format: 'date-time' })
  foundAt: string;

  static of(row: StrayRow): StrayDto {
    const { brokerId, brokerName, agentId, agentName, foundAt, ...rest } = row;
    return {
      ...rest,
      broker: { id: brokerId, name: brokerName },
      agent: { id: agentId, name: agentName },
      foundAt: foundAt.toISOString(),
    };
  }
}

export class StrayPageDto {
  @ApiProperty({ type: [StrayDto] })
  items: StrayDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}
