import { Body, Controller, Delete, Get, HttpCode, Param, Put, Query } from '@nestjs/common';
import { InProject, Scoped } from '../auth/access.js';
import { Acting, type Actor } from '../auth/actor.js';
import { Members } from '../auth/members.js';
import type { Scope } from '../auth/scope.js';
import { ApiNoContentResponse, ApiOkResponse, ApiTags } from '../http/described.js';
import { PageQuery, readPage } from '../http/page.js';
import { MemberDto, MemberPageDto, SetMemberDto } from '../auth/dto/member.dto.js';
import { Projects } from './projects.js';

/** Who is what in a project. */
@ApiTags('projects')
@Controller('api/v1/projects/:project/members')
export class MemberController {
  constructor(
    private readonly projects: Projects,
    private readonly members: Members,
  ) {}

  @Get()
  @InProject('viewer')
  @ApiOkResponse({ type: MemberPageDto, description: 'Users that were made last come first.' })
  async list(
    @Param('project') project: string,
    @Query() query: PageQuery,
    @Scoped() scope: Scope,
  ): Promise<MemberPageDto> {
    const id = await this.projects.within(scope, project);
    const { rows, nextCursor } = await readPage(`members ${id}`, query, (before, limit) =>
      this.members.list(id, before, limit),
    );
    return { items: rows.map((row) => MemberDto.of(row)), nextCursor };
  }

  @Put(':user')
  @InProject('admin')
  @ApiOkResponse({
    type: MemberDto,
    description: 'The user is a member with this role, by this request or since before.',
  })
  async set(
    @Param('project') project: string,
    @Param('user') user: string,
    @Body() { role }: SetMemberDto,
    @Acting() actor: Actor,
    @Scoped() scope: Scope,
  ): Promise<MemberDto> {
    return MemberDto.of(
      await this.members.set(await this.projects.within(scope, project), user, role, actor),
    );
  }

  @Delete(':user')
  @InProject('admin')
  @HttpCode(204)
  @ApiNoContentResponse({ description: 'The user is no member, by this request or since before.' })
  async remove(
    @Param('project') project: string,
    @Param('user') user: string,
    @Acting() actor: Actor,
    @Scoped() scope: Scope,
  ): Promise<void> {
    await this.members.remove(await this.projects.within(scope, project), user, actor);
  }
}
