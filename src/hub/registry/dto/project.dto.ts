import { Transform } from 'class-transformer';
import { IsBoolean, IsInt, Matches, Max, Min, ValidateIf } from 'class-validator';
import { Omittable } from '../../http/omittable.js';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import { IsName } from '../../http/name.js';
import { PageQuery } from '../../http/page.js';
import type { ProjectChange, ProjectRow } from '../project.repository.js';
import { MAX_PENDING } from '../projects.js';
import { formatVersion, parseVersion, VERSION, type Version } from '../version-floor.js';

const FLOOR = {
  type: String,
  nullable: true,
  pattern: VERSION.source,
  example: '1.10',
  description:
    'MAJOR.MINOR, compared as numbers. Brokers below it are given no new work, except to be asked for data. It only rises.',
};
const QUOTA = {
  type: 'integer',
  minimum: 1,
  maximum: MAX_PENDING.most,
  description: 'Live commands that the project may have.',
} as const;

function IsFloor(): PropertyDecorator {
  return (target, key) => {
    Matches(VERSION, { message: 'must be MAJOR.MINOR, such as 1.10' })(target, key);
    ValidateIf((_body, value) => value !== undefined && value !== null)(target, key);
  };
}

export class CreateProjectDto {
  @IsName()
  name: string;

  @ApiPropertyOptional({ ...FLOOR, default: null })
  @IsFloor()
  minBrokerVersion: string | null = null;

  @ApiPropertyOptional({ ...QUOTA, default: MAX_PENDING.default })
  @Omittable()
  @IsInt()
  @Min(1)
  @Max(MAX_PENDING.most)
  maxPending: number = MAX_PENDING.default;
}

/** What is left out stays as it is. */
export class UpdateProjectDto {
  @ApiPropertyOptional(FLOOR)
  @IsFloor()
  minBrokerVersion?: string | null;

  @ApiPropertyOptional(QUOTA)
  @Omittable()
  @IsInt()
  @Min(1)
  @Max(MAX_PENDING.most)
  maxPending?: number;

  static toChange({ minBrokerVersion, maxPending }: UpdateProjectDto): ProjectChange {
    return { floor: minBrokerVersion === undefined ? undefined : floorOf(minBrokerVersion), maxPending };
  }
}

export class ListProjectsQuery extends PageQuery {
  @ApiPropertyOptional({ default: false, description: 'Archived ones as well.' })
  @Omittable()
  @Transform(({ value }) => (value === 'true' ? true : value === 'false' ? false : (value as unknown)))
  @IsBoolean()
  archived = false;
}

export class ProjectDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty()
  name: string;

  @ApiProperty(FLOOR)
  minBrokerVersion: string | null;

  @ApiProperty(QUOTA)
  maxPending: number;

  @ApiProperty({ type: 'integer', description: 'Grows with each change; the `ETag`.' })
  revision: number;

  @ApiProperty({ format: 'uuid', description: 'The user who made it.' })
  createdBy: string;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;

  @ApiProperty({ format: 'date-time' })
  updatedAt: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  archivedAt: string | null;

  static of(row: ProjectRow): ProjectDto {
    const { id, name, floor, maxPending, revision, createdBy } = row;
    return {
      id,
      name,
      minBrokerVersion: floor === null ? null : formatVersion(floor),
      maxPending,
      revision,
      createdBy,
      createdAt: row.createdAt.toISOString(),
      updatedAt: row.updatedAt.toISOString(),
      archivedAt: row.archivedAt?.toISOString() ?? null,
    };
  }
}

export class ProjectPageDto {
  @ApiProperty({ type: [ProjectDto] })
  items: ProjectDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}

/** @throws VersionMalformed */
export function floorOf(text: string | null): Version | null {
  return text === null ? null : parseVersion(text);
}
