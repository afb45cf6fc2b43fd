import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { InProject, Person, Scoped } from '../auth/access.js';
import { Acting, type Actor } from '../auth/actor.js';
import { RequestKey, type Idempotency } from '../auth/request-key.js';
import type { Scope } from '../auth/scope.js';
import { ApiCreatedResponse, ApiHeader, ApiOkResponse, ApiTags } from '../http/described.js';
import { etagOf, IfMatch } from '../http/if-match.js';
import { readPage } from '../http/page.js';
import {
  CreateProjectDto,
  floorOf,
  ListProjectsQuery,
  ProjectDto,
  ProjectPageDto,
  UpdateProjectDto,
} from './dto/project.dto.js';
import type { ProjectRow } from './project.repository.js';
import { Projects } from './projects.js';

@ApiTags('projects')
@Controller('api/v1/projects')
export class ProjectController {
  constructor(private readonly projects: Projects) {}

  @Post()
  @Person('admin')
  @ApiHeader({ name: 'Idempotency-Key', required: false })
  @ApiCreatedResponse({ type: ProjectDto })
  async create(
    @Acting() actor: Actor,
    @Body() { name, minBrokerVersion, maxPending }: CreateProjectDto,
    @RequestKey() key: Idempotency | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ProjectDto> {
    const project = { name, floor: floorOf(minBrokerVersion), maxPending };
    return tagged(reply, await this.projects.create(project, actor, key));
  }

  @Get()
  @InProject('viewer')
  @ApiOkResponse({ type: ProjectPageDto })
  async list(@Query() query: ListProjectsQuery, @Scoped() scope: Scope): Promise<ProjectPageDto> {
    const { archived } = query;
    const { rows, nextCursor } = await readPage(`projects ${archived}`, query, (before, limit) =>
      this.projects.list(before, limit, archived, scope),
    );
    return { items: rows.map((row) => ProjectDto.of(row)), nextCursor };
  }

  @Get(':project')
  @InProject('viewer')
  @ApiOkResponse({ type: ProjectDto })
  async get(
    @Param('project') project: string,
    @Scoped() scope: Scope,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ProjectDto> {
    return tagged(reply, await this.projects.get(await this.projects.within(scope, project)));
  }

  @Patch(':project')
  @Person('admin')
  @ApiHeader({ name: 'If-Match', required: false, description: 'The `ETag` of what was read.' })
  @ApiOkResponse({ type: ProjectDto })
  async update(
    @Param('project') project: string,
    @IfMatch() revision: number | null,
    @Acting() actor: Actor,
    @Body() body: UpdateProjectDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ProjectDto> {
    const change = UpdateProjectDto.toChange(body);
    return tagged(reply, await this.projects.update(project, revision, change, actor));
  }

  @Post(':project/archive')
  @Person('admin')
  @HttpCode(200)
  @ApiOkResponse({ type: ProjectDto })
  async archive(
    @Param('project') project: string,
    @Acting() actor: Actor,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ProjectDto> {
    return tagged(reply, await this.projects.archive(project, actor));
  }
}

function tagged(reply: FastifyReply, row: ProjectRow): ProjectDto {
  void reply.header('etag', etagOf(row));
  return ProjectDto.of(row);
}
