import { ApiProperty } from '../../http/described.js';
import type { Violation } from '../../proof/rule.js';
import {
  DRAIN_STEPS,
  ROLLOUT_OUTCOMES,
  type DrainStep,
  type Gap,
  type RolloutOutcome,
  type RolloutReport,
  type RolloutRow,
  type RolloutStep,
} from '../rollout-row.js';

class RolloutStepDto implements RolloutStep {
  @ApiProperty({ enum: DRAIN_STEPS })
  step: DrainStep;

  @ApiProperty({ description: 'Milliseconds since the drain began.' })
  ms: number;

  @ApiProperty({ description: 'Brokers that were linked to the replica then.' })
  brokers: number;

  @ApiProperty({ description: 'Commands that were out with them.' })
  inFlight: number;
}

class RolloutReportDto implements RolloutReport {
  @ApiProperty({
    description: 'Nothing was lost, duplicated, reordered or irregular, and all could be judged.',
  })
  clean: boolean;

  @ApiProperty({ description: 'Brokers that another replica took over.' })
  moved: number;

  @ApiProperty({ description: 'Those whose link was cut at the deadline.' })
  letGo: number;

  @ApiProperty({ description: 'Brokers that said goodbye for themselves and have not come back.' })
  left: number;

  @ApiProperty({ description: 'Brokers that nobody owned when this was written.' })
  unowned: number;

  @ApiProperty({
    type: Object,
    description: 'Milliseconds without an owner: p50, p99 and max over the brokers.',
  })
  gapMs: { p50: number; p99: number; max: number };

  @ApiProperty({ type: [Object], description: 'The longest of each broker, longest first; at most 1,000.' })
  gaps: Gap[];

  @ApiProperty({ description: 'Commands of these brokers that were alive at some time of the drain.' })
  commands: number;

  @ApiProperty({ description: 'Those that had not ended when this was written.' })
  live: number;

  @ApiProperty({ description: 'Commands that are out, or past their deadline, and that nobody minds.' })
  lost: number;

  @ApiProperty()
  duplicated: number;

  @ApiProperty()
  reordered: number;

  @ApiProperty({ description: 'Trails that are wrong in another way.' })
  irregular: number;

  @ApiProperty({
    description: 'Endings that say that nobody knows whether it was done; no fault of the hub.',
  })
  unknown: number;

  @ApiProperty({ type: [String], description: 'Their ids; at most 1,000.' })
  unknownIds: string[];

  @ApiProperty({ type: [Object], description: 'Rule, id and what was seen; at most 100.' })
  violations: Violation[];

  @ApiProperty({ description: 'false where there were more commands than are judged (100,000).' })
  isWhole: boolean;
}

/** One drain of a replica. */
export class RolloutDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({ type: Object, description: 'The replica that left: id and name.' })
  replica: { id: string; name: string };

  @ApiProperty()
  software: string;

  @ApiProperty({ format: 'date-time' })
  begunAt: string;

  @ApiProperty({ format: 'date-time', type: String, nullable: true })
  endedAt: string | null;

  @ApiProperty({
    enum: ROLLOUT_OUTCOMES,
    type: String,
    nullable: true,
    description:
      'Whether all brokers moved, some were let go of at the deadline, or there was nobody to take them over; null while it drains, and where its process was ended first.',
  })
  outcome: RolloutOutcome | null;

  @ApiProperty({ type: [RolloutStepDto] })
  steps: RolloutStep[];

  @ApiProperty({ format: 'date-time', type: String, nullable: true })
  judgedAt: string | null;

  @ApiProperty({ type: RolloutReportDto, nullable: true, description: 'Once it was judged.' })
  report: RolloutReport | null;

  static of(row: RolloutRow): RolloutDto {
    const { id, software, outcome, steps, report } = row;
    return {
      id,
      replica: { id: row.replicaId, name: row.replicaName },
      software,
      begunAt: row.begunAt.toISOString(),
      endedAt: row.endedAt?.toISOString() ?? null,
      outcome,
      steps,
      judgedAt: row.judgedAt?.toISOString() ?? null,
      report,
    };
  }
}

export class RolloutPageDto {
  @ApiProperty({ type: [RolloutDto] })
  items: RolloutDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}
