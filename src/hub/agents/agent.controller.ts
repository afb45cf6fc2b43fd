import { Body, Controller, Delete, Get, Param, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { InProject, Scoped } from '../auth/access.js';
import type { Scope } from '../auth/scope.js';
import { Asks, type Asking } from '../dispatch/caller.js';
import { answer } from '../dispatch/dto/answer.js';
import { DispatchEnvelopeDto } from '../dispatch/dto/dispatch.dto.js';
import { ApiCreatedResponse, ApiHeader, ApiOkResponse, ApiTags } from '../http/described.js';
import { readPage } from '../http/page.js';
import { Waiting, type Wait } from '../http/prefer.js';
import { Agents } from './agents.js';
import { Commands } from './commands.js';
import {
  AgentDto,
  AgentPageDto,
  CreateAgentDto,
  DeletedAgentDto,
  ListAgentsQuery,
  LogsDto,
  LogsQuery,
  SpecDto,
} from './dto/agent.dto.js';
import { InspectionDto } from './dto/inspection.dto.js';

@ApiTags('agents')
@InProject('operator')
@Controller('api/v1/agents')
export class AgentController {
  constructor(private readonly agents: Agents) {}

  @Post()
  @ApiHeader({ name: 'Idempotency-Key', required: false })
  @ApiCreatedResponse({ type: AgentDto })
  async create(
    @Body() body: CreateAgentDto,
    @Asks() asking: Asking,
    @Scoped() scope: Scope,
  ): Promise<AgentDto> {
    const agent = { ...body, spec: SpecDto.toSpec(body.spec) };
    return AgentDto.of(await this.agents.create(agent, asking, scope));
  }

  @Get()
  @InProject('viewer')
  @ApiOkResponse({ type: AgentPageDto })
  async list(@Query() query: ListAgentsQuery, @Scoped() scope: Scope): Promise<AgentPageDto> {
    const listName = `agents ${query.broker ?? ''} ${query.project ?? ''}`;
    const { rows, nextCursor } = await readPage(listName, query, (before, limit) =>
      this.agents.list(before, query, limit, scope),
    );
    return { items: rows.map((row) => AgentDto.of(row)), nextCursor };
  }

  @Get(':agent')
  @InProject('viewer')
  @ApiOkResponse({ type: AgentDto })
  async get(@Param('agent') agent: string, @Scoped() scope: Scope): Promise<AgentDto> {
    return AgentDto.of(await this.agents.get(await this.agents.within(scope, agent)));
  }

  @Post(':agent/start')
  @Commands()
  async start(
    @Param('agent') agent: string,
    @Asks() asking: Asking,
    @Waiting() wait: Wait,
    @Scoped() scope: Scope,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DispatchEnvelopeDto> {
    return answer(reply, await this.agents.act('start', agent, asking, wait, scope));
  }

  @Post(':agent/stop')
  @Commands()
  async stop(
    @Param('agent') agent: string,
    @Asks() asking: Asking,
    @Waiting() wait: Wait,
    @Scoped() scope: Scope,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DispatchEnvelopeDto> {
    return answer(reply, await this.agents.act('stop', agent, asking, wait, scope));
  }

  @Post(':agent/restart')
  @Commands()
  async restart(
    @Param('agent') agent: string,
    @Asks() asking: Asking,
    @Waiting() wait: Wait,
    @Scoped() scope: Scope,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DispatchEnvelopeDto> {
    return answer(reply, await this.agents.act('restart', agent, asking, wait, scope));
  }

  @Delete(':agent')
  @Commands(DeletedAgentDto)
  async delete(
    @Param('agent') agent: string,
    @Asks() asking: Asking,
    @Waiting() wait: Wait,
    @Scoped() scope: Scope,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DeletedAgentDto> {
    const command = await this.agents.delete(agent, asking, wait, scope);
    return command === null ? { dispatch: null } : answer(reply, command);
  }

  @Get(':agent/logs')
  @InProject('viewer')
  @ApiOkResponse({ type: LogsDto })
  async logs(
    @Param('agent') agent: string,
    @Query() { lines }: LogsQuery,
    @Asks() asking: Asking,
    @Scoped() scope: Scope,
  ): Promise<LogsDto> {
    return this.agents.logs(await this.agents.within(scope, agent), lines, asking);
  }

  @Get(':agent/inspect')
  @InProject('viewer')
  @ApiOkResponse({ type: InspectionDto })
  async inspect(
    @Param('agent') agent: string,
    @Asks() asking: Asking,
    @Scoped() scope: Scope,
  ): Promise<InspectionDto> {
    return this.agents.inspect(await this.agents.within(scope, agent), asking);
  }
}
