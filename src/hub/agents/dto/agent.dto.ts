import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsDefined,
  IsInt,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import type { ProcessSpec } from '../../../protocol/op.js';
import { IsName } from '../../http/name.js';
import { PageQuery } from '../../http/page.js';
import type { AgentRow } from '../agent.repository.js';
import { PHASES, type Phase, type Wanted } from '../phase.js';
import { IsEnvironment } from './environment.js';

/** Left out: not limited. */
export class LimitsDto {
  @ApiPropertyOptional({ type: 'integer', minimum: 16, description: 'Virtual memory of each process, MiB.' })
  @IsOptional()
  @IsInt()
  @Min(16)
  @Max(16_777_216)
  memoryMb?: number;

  @ApiPropertyOptional({ type: 'integer', minimum: 16 })
  @IsOptional()
  @IsInt()
  @Min(16)
  @Max(1_048_576)
  openFiles?: number;

  @ApiPropertyOptional({ type: 'integer', minimum: 1 })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(31_536_000)
  cpuSeconds?: number;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    description: 'Seconds from its start, after which it is stopped.',
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(31_536_000)
  wallSeconds?: number;
}

export class SpecDto {
  @ApiProperty({ description: 'A program, by path or by name.' })
  @IsString()
  @Length(1, 4096)
  command: string;

  @ApiPropertyOptional({ type: [String] })
  @IsOptional()
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

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' } })
  @IsOptional()
  @IsEnvironment()
  environment: Record<string, string> = {};

  @ApiPropertyOptional({ type: LimitsDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => LimitsDto)
  limits: LimitsDto = new LimitsDto();

  static toSpec({ command, args, directory, environment, limits }: SpecDto): ProcessSpec {
    const { memoryMb, openFiles, cpuSeconds, wallSeconds } = limits;
    return {
      command,
      args,
      directory,
      environment,
      limits: {
        memoryMb: memoryMb ?? null,
        openFiles: openFiles ?? null,
        cpuSeconds: cpuSeconds ?? null,
        wallSeconds: wallSeconds ?? null,
      },
    };
  }
}

export class CreateAgentDto {
  @IsName()
  name: string;

  @ApiProperty({ description: 'A broker by id or name.' })
  @IsString()
  @Length(1, 64)
  broker: string;

  @ApiProperty({ type: SpecDto })
  @ValidateNested()
  @Type(() => SpecDto)
  @IsDefined()
  spec: SpecDto;
}

export class AgentDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty()
  name: string;

  @ApiProperty({ type: Object, description: 'The broker: id and name.' })
  broker: { id: string; name: string | null };

  @ApiProperty({ enum: ['process'] })
  runtime: string;

  @ApiProperty({ type: SpecDto })
  spec: ProcessSpec;

  @ApiProperty({ enum: ['running', 'stopped', 'deleted'], description: 'What was last asked for.' })
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

  @ApiProperty({ type: Number, nullable: true })
  exitCode: number | null;

  @ApiProperty({ type: String, nullable: true })
  detail: string | null;

  @ApiProperty({ type: 'integer' })
  revision: number;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;

  @ApiProperty({ format: 'date-time' })
  updatedAt: string;

  static of(row: AgentRow): AgentDto {
    const { brokerId, brokerName, createdAt, updatedAt, ...rest } = row;
    return {
      ...rest,
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

export class ListAgentsQuery extends PageQuery {
  @ApiPropertyOptional({ description: 'A broker by id or name.' })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  broker?: string;
}

export class LogsQuery {
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 10_000, default: 100 })
  @IsOptional()
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
