import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { InProject, Person, Scoped } from '../auth/access.js';
import { Acting, type Actor } from '../auth/actor.js';
import type { Scope } from '../auth/scope.js';
import { ApiNoContentResponse, ApiOkResponse, ApiTags } from '../http/described.js';
import { readPage } from '../http/page.js';
import { Attachments } from './attachments.js';
import { Brokers } from './brokers.js';
import { AttachDto, AttachmentDto, AttachmentPageDto, ListAttachmentsQuery } from './dto/attachment.dto.js';
import { filterOf, listNameOf } from './dto/broker-filter.js';
import { RosterBrokerDto, RosterPageDto, RosterQuery } from './dto/roster.dto.js';
import { Projects } from './projects.js';

@ApiTags('projects')
@Controller('api/v1')
export class AttachmentController {
  constructor(
    private readonly attachments: Attachments,
    private readonly projects: Projects,
    private readonly brokers: Brokers,
  ) {}

  @Post('projects/:project/attachments')
  @Person('admin')
  @HttpCode(200)
  @ApiOkResponse({ type: AttachmentDto, description: 'It is attached, by this request or since before.' })
  async attach(
    @Param('project') project: string,
    @Acting() actor: Actor,
    @Body() { broker }: AttachDto,
  ): Promise<AttachmentDto> {
    return AttachmentDto.of(await this.attachments.attach(project, broker, actor));
  }

  @Get('projects/:project/attachments')
  @InProject('viewer')
  @ApiOkResponse({ type: AttachmentPageDto })
  async list(
    @Param('project') project: string,
    @Query() query: ListAttachmentsQuery,
    @Scoped() scope: Scope,
  ): Promise<AttachmentPageDto> {
    const { id } = await this.projects.get(await this.projects.within(scope, project));
    return this.page(query, { projectId: id, brokerId: null }, scope);
  }

  @Get('brokers/:broker/attachments')
  @InProject('viewer')
  @ApiOkResponse({ type: AttachmentPageDto })
  async listOfBroker(
    @Param('broker') broker: string,
    @Query() query: ListAttachmentsQuery,
    @Scoped() scope: Scope,
  ): Promise<AttachmentPageDto> {
    const { id } = await this.brokers.get(await this.brokers.within(scope, broker));
    return this.page(query, { projectId: null, brokerId: id }, scope);
  }

  @Get('projects/:project/brokers')
  @InProject('viewer')
  @ApiOkResponse({ type: RosterPageDto, description: 'Brokers that are attached, or were, newest first.' })
  async roster(
    @Param('project') project: string,
    @Query() query: RosterQuery,
    @Scoped() scope: Scope,
  ): Promise<RosterPageDto> {
    const { id } = await this.projects.get(await this.projects.within(scope, project));
    const filter = { ...filterOf(query), state: query.state ?? null };
    const { rows, nextCursor } = await readPage(listNameOf(`roster ${id}`, filter), query, (before, limit) =>
      this.attachments.roster(id, before, filter, limit),
    );
    return { items: rows.map((row) => RosterBrokerDto.of(row)), nextCursor };
  }

  @Get('projects/:project/attachments/:broker')
  @InProject('viewer')
  @ApiOkResponse({ type: AttachmentDto })
  async get(
    @Param('project') project: string,
    @Param('broker') broker: string,
    @Scoped() scope: Scope,
  ): Promise<AttachmentDto> {
    return AttachmentDto.of(await this.attachments.get(await this.projects.within(scope, project), broker));
  }

  @Delete('projects/:project/attachments/:broker')
  @Person('admin')
  @HttpCode(204)
  @ApiNoContentResponse({ description: 'It is detached, by this request or since before.' })
  async detach(
    @Param('project') project: string,
    @Param('broker') broker: string,
    @Acting() actor: Actor,
  ): Promise<void> {
    await this.attachments.detach(project, broker, actor);
  }

  @Post('projects/:project/attachments/:broker/revoke')
  @Person('admin')
  @HttpCode(200)
  @ApiOkResponse({ type: AttachmentDto })
  async revoke(
    @Param('project') project: string,
    @Param('broker') broker: string,
    @Acting() actor: Actor,
  ): Promise<AttachmentDto> {
    return AttachmentDto.of(await this.attachments.revoke(project, broker, actor));
  }

  private async page(
    query: ListAttachmentsQuery,
    of: { projectId: string | null; brokerId: string | null },
    { sees }: Scope,
  ): Promise<AttachmentPageDto> {
    const { state = null } = query;
    const listName = `attachments ${JSON.stringify({ ...of, state })}`;
    const { rows, nextCursor } = await readPage(listName, query, (before, limit) =>
      this.attachments.list({ ...of, state, before, limit, sees }),
    );
    return { items: rows.map((row) => AttachmentDto.of(row)), nextCursor };
  }
}
