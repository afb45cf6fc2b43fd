import { Body, Controller, Delete, Get, Param, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Person } from '../auth/access.js';
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
  ListAgentsQuery,
  LogsDto,
  LogsQuery,
  SpecDto,
} from './dto/agent.dto.js';
import { InspectionDto } from './dto/inspection.dto.js';
import type { Verb } from './phase.js';

@ApiTags('agents')
@Person()
@Controller('api/v1/agents')
export class AgentController {
  constructor(private readonly agents: Agents) {}

  @Post()
  @ApiHeader({ name: 'Idempotency-Key', required: false })
  @ApiCreatedResponse({ type: AgentDto })
  async create(@Body() body: CreateAgentDto, @Asks() asking: Asking): Promise<AgentDto> {
    return AgentDto.of(await this.agents.create({ ...body, spec: SpecDto.toSpec(body.spec) }, asking));
  }

  @Get()
  @ApiOkResponse({ type: AgentPageDto })
  async list(@Query() query: ListAgentsQuery): Promise<AgentPageDto> {
    const listName = `agents ${query.broker ?? ''} ${query.project ?? ''}`;
    const { rows, nextCursor } = await readPage(listName, query, (before, limit) =>
      this.agents.list(before, query, limit),
    );
    return { items: rows.map((row) => AgentDto.of(row)), nextCursor };
  }

  @Get(':agent')
  @ApiOkResponse({ type: AgentDto })
  async get(@Param('agent') agent: string): Promise<AgentDto> {
    return AgentDto.of(await this.agents.get(agent));
  }

  @Post(':agent/start')
  @Commands()
  async start(
    @Param('agent') agent: string,
    @Asks() asking: Asking,
    @Waiting() wait: Wait,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DispatchEnvelopeDto> {
    return this.act('start', agent, asking, wait, reply);
  }

  @Post(':agent/stop')
  @Commands()
  async stop(
    @Param('agent') agent: string,
    @Asks() asking: Asking,
    @Waiting() wait: Wait,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DispatchEnvelopeDto> {
    return this.act('stop', agent, asking, wait, reply);
  }

  @Post(':agent/restart')
  @Commands()
  async restart(
    @Param('agent') agent: string,
    @Asks() asking: Asking,
    @Waiting() wait: Wait,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DispatchEnvelopeDto> {
    return this.act('restart', agent, asking, wait, reply);
  }

  @Delete(':agent')
  @Commands()
  async delete(
    @Param('agent') agent: string,
    @Asks() asking: Asking,
    @Waiting() wait: Wait,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DispatchEnvelopeDto> {
    return this.act('delete', agent, asking, wait, reply);
  }

  @Get(':agent/logs')
  @ApiOkResponse({ type: LogsDto })
  async logs(
    @Param('agent') agent: string,
    @Query() { lines }: LogsQuery,
    @Asks() asking: Asking,
  ): Promise<LogsDto> {
    return this.agents.logs(agent, lines, asking);
  }

  @Get(':agent/inspect')
  @ApiOkResponse({ type: InspectionDto })
  async inspect(@Param('agent') agent: string, @Asks() asking: Asking): Promise<InspectionDto> {
    return this.agents.inspect(agent, asking);
  }

  private async act(verb: Verb, agent: string, asking: Asking, wait: Wait, reply: FastifyReply) {
    return answer(reply, await this.agents.act(verb, agent, asking, wait));
  }
}
