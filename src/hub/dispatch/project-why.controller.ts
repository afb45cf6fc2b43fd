import { Controller, Get, Param } from '@nestjs/common';
import { InProject, Scoped } from '../auth/access.js';
import type { Scope } from '../auth/scope.js';
import { ApiOkResponse, ApiTags } from '../http/described.js';
import { NotFound } from '../problems/coded.error.js';
import { Brokers } from '../registry/brokers.js';
import { Projects } from '../registry/projects.js';
import { ProjectWhyDto } from './dto/project-why.dto.js';
import { ProjectWhyRepository } from './project-why.repository.js';

/** Explains whether a project takes commands for a broker: what is refused has no row that could be asked why. */
@ApiTags('projects')
@Controller('api/v1/projects')
export class ProjectWhyController {
  constructor(
    private readonly repository: ProjectWhyRepository,
    private readonly projects: Projects,
    private readonly brokers: Brokers,
  ) {}

  @Get(':project/brokers/:broker/why')
  @InProject('viewer')
  @ApiOkResponse({ type: ProjectWhyDto })
  async why(
    @Param('project') project: string,
    @Param('broker') broker: string,
    @Scoped() scope: Scope,
  ): Promise<ProjectWhyDto> {
    const projectId = await this.projects.within(scope, project);
    const about = await this.repository.read(projectId, await this.brokers.within(scope, broker));
    if (about === undefined) throw new NotFound('project or broker');
    return ProjectWhyDto.of(about);
  }
}
