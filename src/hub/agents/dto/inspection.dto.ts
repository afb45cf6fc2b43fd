import { RUN_STATES, STDINS, type Inspection, type ProcessLimits, type Stdin } from '../../../protocol/op.js';
import { ApiProperty } from '../../http/described.js';
import { LimitsDto } from './agent.dto.js';

export class OutputFileDto {
  @ApiProperty()
  name: string;

  @ApiProperty({ type: 'integer' })
  bytes: number;
}

export class OutputDto {
  @ApiProperty({ type: [OutputFileDto], description: 'The newest first.' })
  files: OutputFileDto[];

  @ApiProperty({ type: 'integer', description: 'Of all files.' })
  bytes: number;
}

/** An agent's latest run, as its broker sees it. */
export class InspectionDto implements Inspection {
  @ApiProperty({ format: 'uuid' })
  runId: string;

  @ApiProperty({
    enum: RUN_STATES,
    description: '`vanished`: it is over, and nobody was there to see how.',
  })
  state: Inspection['state'];

  @ApiProperty({ type: Number, nullable: true, description: 'Of the command that was started last.' })
  pid: number | null;

  @ApiProperty({
    type: String,
    nullable: true,
    format: 'date-time',
    description: "When that was, by the broker's clock.",
  })
  startedAt: string | null;

  @ApiProperty({ type: 'integer', description: 'How often it was started again under its policy.' })
  restarts: number;

  @ApiProperty({ type: Number, nullable: true })
  exitCode: number | null;

  @ApiProperty({ type: String, nullable: true })
  detail: string | null;

  @ApiProperty({ description: 'Whether its supervisor lives.' })
  isSupervised: boolean;

  @ApiProperty({ enum: STDINS })
  stdin: Stdin;

  @ApiProperty({ type: [String], description: 'Names of its environment; never the values.' })
  environment: string[];

  @ApiProperty({ type: LimitsDto })
  limits: ProcessLimits;

  @ApiProperty({ type: OutputDto, description: 'What is kept of its output.' })
  output: OutputDto;
}
