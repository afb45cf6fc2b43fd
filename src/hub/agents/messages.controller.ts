import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { InProject, Scoped } from '../auth/access.js';
import type { Scope } from '../auth/scope.js';
import { Asks, type Asking } from '../dispatch/caller.js';
import { answer } from '../dispatch/dto/answer.js';
import { DispatchEnvelopeDto } from '../dispatch/dto/dispatch.dto.js';
import { ApiHeader, ApiOkResponse, ApiTags } from '../http/described.js';
import { PageQuery, readPage } from '../http/page.js';
import { Waiting, type Wait } from '../http/prefer.js';
import { Agents } from './agents.js';
import { Commands } from './commands.js';
import {
  MessageDto,
  MessagePageDto,
  MessagesSentDto,
  ProjectMessageDto,
  ProjectMessagePageDto,
  SendMessageDto,
  SendMessagesDto,
} from './dto/message.dto.js';
import { Messages } from './messages.js';

@ApiTags('agents')
@InProject('operator')
@Controller('api/v1')
export class MessagesController {
  constructor(
    private readonly agents: Agents,
    private readonly messages: Messages,
  ) {}

  @Post('agents/:agent/messages')
  @Commands()
  async send(
    @Param('agent') agent: string,
    @Body() { text, deadlineS }: SendMessageDto,
    @Asks() asking: Asking,
    @Waiting() wait: Wait,
    @Scoped() scope: Scope,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DispatchEnvelopeDto> {
    return answer(reply, await this.messages.send(agent, { text, deadlineS }, asking, wait, scope));
  }

  @Get('agents/:agent/messages')
  @InProject('viewer')
  @ApiOkResponse({ type: MessagePageDto })
  async list(
    @Param('agent') idOrName: string,
    @Query() query: PageQuery,
    @Scoped() scope: Scope,
  ): Promise<MessagePageDto> {
    const agent = await this.agents.get(await this.agents.within(scope, idOrName));
    const { rows, nextCursor } = await readPage(`messages ${agent.id}`, query, (before, limit) =>
      this.messages.list(agent, before, limit, scope),
    );
    return { items: rows.map((record) => MessageDto.of(record)), nextCursor };
  }

  @Post('messages')
  @HttpCode(200)
  @ApiHeader({ name: 'Idempotency-Key', required: false })
  @ApiHeader({
    name: 'Prefer',
    required: false,
    description: '`wait=N`: hold the answer until all have ended, N seconds; `window=W` as for one.',
  })
  @ApiOkResponse({ type: MessagesSentDto })
  async sendToAll(
    @Body() { agents, text, deadlineS }: SendMessagesDto,
    @Asks() asking: Asking,
    @Waiting() wait: Wait,
    @Scoped() scope: Scope,
  ): Promise<MessagesSentDto> {
    const outcomes = await this.messages.sendToAll(agents, { text, deadlineS }, asking, wait, scope);
    return MessagesSentDto.of(outcomes.map((outcome, place) => ({ agent: agents[place] ?? '', outcome })));
  }

  @Post('projects/:project/messages')
  @HttpCode(200)
  @ApiHeader({ name: 'Idempotency-Key', required: false })
  @ApiHeader({
    name: 'Prefer',
    required: false,
    description: '`wait=N`: hold the answer until all have ended, N seconds.',
  })
  @ApiOkResponse({ type: MessagesSentDto })
  async sendToProject(
    @Param('project') project: string,
    @Body() { text, deadlineS }: SendMessageDto,
    @Asks() asking: Asking,
    @Waiting() wait: Wait,
    @Scoped() scope: Scope,
  ): Promise<MessagesSentDto> {
    return MessagesSentDto.of(
      await this.messages.sendToProject(project, { text, deadlineS }, asking, wait, scope),
    );
  }

  @Get('projects/:project/messages')
  @InProject('viewer')
  @ApiOkResponse({ type: ProjectMessagePageDto })
  async listOfProject(
    @Param('project') project: string,
    @Query() query: PageQuery,
    @Scoped() scope: Scope,
  ): Promise<ProjectMessagePageDto> {
    const { rows, nextCursor } = await readPage(`messages of ${project}`, query, (before, limit) =>
      this.messages.listOfProject(project, before, limit, scope),
    );
    return { items: rows.map((record) => ProjectMessageDto.ofProject(record)), nextCursor };
  }
}
