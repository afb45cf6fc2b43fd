import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Person } from '../auth/access.js';
import { ApiAcceptedResponse, ApiHeader, ApiOkResponse, ApiTags } from '../http/described.js';
import { readPage } from '../http/page.js';
import { PREFER_WAIT, Waiting, type Wait } from '../http/prefer.js';
import { Brokers } from '../registry/brokers.js';
import { Projects } from '../registry/projects.js';
import { Asks, type Asking } from './caller.js';
import { Dispatches } from './dispatches.js';
import {
  CreateDispatchDto,
  DispatchEnvelopeDto,
  DispatchListDto,
  ListDispatchesDto,
  TrailDto,
} from './dto/dispatch.dto.js';
import { toDispatchDto, toEnvelope, toTrailStep } from './dto/map.js';
import { dispatchId, orderOf } from './dto/order.js';
import { answer } from './dto/answer.js';

@ApiTags('dispatches')
@Controller('api/v1')
export class DispatchController {
  constructor(
    private readonly dispatches: Dispatches,
    private readonly brokers: Brokers,
    private readonly projects: Projects,
  ) {}

  @Post('brokers/:broker/dispatches')
  @Person()
  @ApiHeader({ name: 'Idempotency-Key', required: false })
  @ApiHeader(PREFER_WAIT)
  @ApiOkResponse({ type: DispatchEnvelopeDto, description: 'It has ended.' })
  @ApiAcceptedResponse({ type: DispatchEnvelopeDto, description: 'It is on record, and has not ended.' })
  async create(
    @Param('broker') broker: string,
    @Body() body: CreateDispatchDto,
    @Asks() asking: Asking,
    @Waiting() wait: Wait,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DispatchEnvelopeDto> {
    const order = { ...orderOf(body), brokerId: await this.brokers.idOf(broker), ...asking };
    if (body.project !== undefined)
      Object.assign(order, { projectId: await this.projects.idOf(body.project) });
    return answer(reply, await this.dispatches.submit(order, wait));
  }

  @Post('dispatches/:id/cancel')
  @Person()
  @HttpCode(200)
  @ApiHeader(PREFER_WAIT)
  @ApiOkResponse({ type: DispatchEnvelopeDto, description: 'It has ended; `cancel.outcome` says how.' })
  @ApiAcceptedResponse({ type: DispatchEnvelopeDto, description: 'The broker is being asked to stop it.' })
  async cancel(
    @Param('id') id: string,
    @Waiting() wait: Wait,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DispatchEnvelopeDto> {
    return answer(reply, await this.dispatches.cancel(dispatchId(id), wait));
  }

  @Get('dispatches')
  @Person()
  @ApiOkResponse({ type: DispatchListDto })
  async list(@Query() query: ListDispatchesDto): Promise<DispatchListDto> {
    const { broker, project, agent, state, op } = query;
    const brokerId = broker === undefined ? null : await this.brokers.idOf(broker);
    const projectId = project === undefined ? null : await this.projects.idOf(project);
    const filter = { brokerId, projectId, agentId: agent ?? null, state: state ?? null, op: op ?? null };
    const listName = `dispatches ${JSON.stringify(filter)}`;
    const { rows, nextCursor } = await readPage(listName, query, (before, limit) =>
      this.dispatches.list({ ...filter, before, limit }),
    );
    return { items: rows.map(toDispatchDto), nextCursor };
  }

  @Get('dispatches/:id')
  @Person()
  @ApiHeader(PREFER_WAIT)
  @ApiOkResponse({ type: DispatchEnvelopeDto })
  async get(@Param('id') id: string, @Waiting() wait: Wait): Promise<DispatchEnvelopeDto> {
    return toEnvelope(await this.dispatches.wait(dispatchId(id), wait));
  }

  @Get('dispatches/:id/trail')
  @Person()
  @ApiOkResponse({ type: TrailDto })
  async trail(@Param('id') id: string): Promise<TrailDto> {
    return { id, trail: (await this.dispatches.trail(dispatchId(id))).map(toTrailStep) };
  }
}
