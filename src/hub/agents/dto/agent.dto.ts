import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import {
  RESTART_POLICIES,
  RESTARTS,
  STDINS,
  type ProcessSpec,
  type RestartPolicy,
  type Stdin,
} from '../../../protocol/op.js';
import { DispatchDto } from '../../dispatch/dto/dispatch.dto.js';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import { IsName } from '../../http/name.js';
import { Omittable } from '../../http/omittable.js';
import { PageQuery } from '../../http/page.js';
import { AsGiven } from '../../problems/as-given.js';
import type { AgentRow } from '../agent.repository.js';
import { namesOf } from '../sealed-specs.js';
import { PHASES, WISHES, type Phase, type Wanted } from '../phase.js';
import { RUNTIMES } from '../runtime.js';
import { IsEnvironment } from './environment.js';

/** Left out: not limited. */
export class LimitsDto {
  @ApiPropertyOptional({
    type: 'integer',
    minimum: 16,
    maximum: 16_777_216,
    description: 'Virtual memory of each process, MiB.',
  })
  @Omittable()
  @IsInt()
  @Min(16)
  @Max(16_777_216)
  memoryMb?: number;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: 16_777_216,
    description: 'Memory that all its processes hold together, MiB; looked at once a second.',
  })
  @Omittable()
  @IsInt()
  @Min(1)
  @Max(16_777_216)
  residentMb?: number;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: 65_536,
    description: 'Processes at a time; looked at once a second.',
  })
  @Omittable()
  @IsInt()
  @Min(1)
  @Max(65_536)
  processes?: number;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 16,
    maximum: 1_048_576,
    description: 'Files that each of its processes may hold open.',
  })
  @Omittable()
  @IsInt()
  @Min(16)
  @Max(1_048_576)
  openFiles?: number;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: 31_536_000,
    description: 'Processor time of each of its processes.',
  })
  @Omittable()
  @IsInt()
  @Min(1)
  @Max(31_536_000)
  cpuSeconds?: number;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: 31_536_000,
    description: 'Seconds of a run with all its restarts, after which it is stopped for good.',
  })
  @Omittable()
  @IsInt()
  @Min(1)
  @Max(31_536_000)
  wallSeconds?: number;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: 16_777_216,
    description: 'What a run may write with all its restarts, MiB, after which it is stopped for good.',
  })
  @Omittable()
  @IsInt()
  @Min(1)
  @Max(16_777_216)
  outputMb?: number;
}

/** Whether the broker starts the command again after it has ended, though nobody asked it to stop. */
export class RestartDto {
  @ApiPropertyOptional({
    enum: RESTART_POLICIES,
    default: 'never',
    description: '`on-failure`: unless it ended with exit code 0.',
  })
  @Omittable()
  @IsIn(RESTART_POLICIES)
  policy?: RestartPolicy['policy'];

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: RESTARTS.maxMost,
    default: RESTARTS.maxDefault,
    description: 'Restarts within 10 minutes; a command that ends once more has failed.',
  })
  @Omittable()
  @IsInt()
  @Min(1)
  @Max(RESTARTS.maxMost)
  maxRestarts?: number;
}

/** What a spec says beside its environment. */
export class SpecFieldsDto {
  @ApiProperty({ description: 'A program, by path or by name.' })
  @IsString()
  @Length(1, 4096)
  command: string;

  @ApiPropertyOptional({ type: [String] })
  @Omittable()
  @IsArray()
  @ArrayMaxSize(1024)
  @IsString({ each: true })
  @MaxLength(65_536, { each: true })
  args: string[] = [];

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    description: "Absolute; default: a folder of the agent's own.",
  })
  @IsOptional()
  @IsString()
  @Matches(/^\/[^\0]{0,4095}$/, { message: 'directory must be an absolute path' })
  directory: string | null = null;

  @ApiPropertyOptional({ type: LimitsDto })
  @Omittable()
  @IsObject()
  @ValidateNested()
  @Type(() => LimitsDto)
  limits: LimitsDto = new LimitsDto();

  @ApiPropertyOptional({ type: RestartDto })
  @Omittable()
  @IsObject()
  @ValidateNested()
  @Type(() => RestartDto)
  restart: RestartDto = new RestartDto();

  @ApiPropertyOptional({
    enum: STDINS,
    default: 'closed',
    description: '`messages`: its standard input stays open, and is given each message as one line of JSON.',
  })
  @Omittable()
  @IsIn(STDINS)
  stdin: Stdin = 'closed';
}

export class SpecDto extends SpecFieldsDto {
  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string' },
    description: 'Sealed in the database: no answer ever holds a value again.',
  })
  @Omittable()
  @IsEnvironment()
  @AsGiven()
  environment: Record<string, string> = {};

  static toSpec({ command, args, directory, environment, limits, restart, stdin }: SpecDto): ProcessSpec {
    const { memoryMb, residentMb, processes, openFiles, cpuSeconds, wallSeconds, outputMb } = limits;
    return {
      command,
      args,
      directory,
      environment,
      limits: {
        memoryMb: memoryMb ?? null,
        residentMb: residentMb ?? null,
        processes: processes ?? null,
        openFiles: openFiles ?? null,
        cpuSeconds: cpuSeconds ?? null,
        wallSeconds: wallSeconds ?? null,
        outputMb: outputMb ?? null,
      },
      restart: {
        policy: restart.policy ?? 'never',
        maxRestarts: restart.maxRestarts ?? RESTARTS.maxDefault,
      },
      stdin,
    };
  }
}

/** A spec as it is shown: of the environment the names alone. */
export class ShownSpecDto extends SpecFieldsDto {
  @ApiProperty({ type: [String], description: 'Names of its environment; never the values.' })
  environment: string[];
}

export class CreateAgentDto {
  @IsName()
  name: string;

  @ApiProperty({ description: 'A broker by id or name.' })
  @IsString()
  @Length(1, 64)
  broker: string;

  @ApiPropertyOptional({
    description:
      'The project that it belongs to, by id or name: the broker must be attached to it. Default: none.',
  })
  @Omittable()
  @IsString()
  @Length(1, 64)
  project?: string;

  @ApiProperty({ type: SpecDto })
  @IsObject()
  @ValidateNested()
  @Type(() => SpecDto)
  spec: SpecDto;
}

export class AgentDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty()
  name: string;

  @ApiProperty({ type: Object, nullable: true, description: 'The project: id and name; null for none.' })
  project: { id: string; name: string | null } | null;

  @ApiProperty({ type: Object, description: 'The broker: id and name.' })
  broker: { id: string; name: string | null };

  @ApiProperty({ enum: RUNTIMES })
  runtime: string;

  @ApiProperty({ type: ShownSpecDto })
  spec: Omit<ProcessSpec, 'environment'> & { environment: string[] };

  @ApiProperty({ enum: WISHES, description: 'What was last asked for.' })
  wanted: Wanted;

  @ApiProperty({ enum: PHASES, description: 'What is.' })
  phase: Phase;

  @ApiProperty({ type: String, nullable: true, format: 'uuid', description: 'One for each launch.' })
  runId: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    format: 'uuid',
    description: 'The latest command given for it.',
  })
  dispatchId: string | null;

  @ApiProperty({
    type: Number,
    nullable: true,
    description: "Of its latest end; while it runs, of the one before its run's latest restart.",
  })
  exitCode: number | null;

  @ApiProperty({ type: String, nullable: true })
  detail: string | null;

  @ApiProperty({ type: 'integer', description: 'How often its run was started again under its policy.' })
  restarts: number;

  @ApiProperty({ type: 'integer' })
  revision: number;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;

  @ApiProperty({ format: 'date-time' })
  updatedAt: string;

  static of(row: AgentRow): AgentDto {
    const { projectId, projectName, brokerId, brokerName, createdAt, updatedAt, spec, ...rest } = row;
    return {
      ...rest,
      spec: { ...spec, environment: namesOf(spec) },
      project: projectId === null ? null : { id: projectId, name: projectName },
      broker: { id: brokerId, name: brokerName },
      createdAt: createdAt.toISOString(),
      updatedAt: updatedAt.toISOString(),
    };
  }
}

export class AgentPageDto {
  @ApiProperty({ type: [AgentDto] })
  items: AgentDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}

export class DeletedAgentDto {
  @ApiProperty({
    type: DispatchDto,
    nullable: true,
    description: 'null where its broker was revoked: the agent is deleted, and there is nobody to tell.',
  })
  dispatch: DispatchDto | null;
}

export class ListAgentsQuery extends PageQuery {
  @ApiPropertyOptional({ description: 'A broker by id or name.' })
  @Omittable()
  @IsString()
  @Length(1, 64)
  broker?: string;

  @ApiPropertyOptional({ description: 'A project by id or name.' })
  @Omittable()
  @IsString()
  @Length(1, 64)
  project?: string;
}

export class LogsQuery {
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 10_000, default: 100 })
  @Omittable()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(10_000)
  lines = 100;
}

export class LogsDto {
  @ApiProperty({ type: [String] })
  lines: string[];

  @ApiProperty({ description: 'There was more than fits the answer.' })
  truncated: boolean;
}
