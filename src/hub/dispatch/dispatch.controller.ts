import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { InProject, Scoped } from '../auth/access.js';
import { requireScope, type Scope } from '../auth/scope.js';
import { Clock } from '../cluster/clock.js';
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
    private readonly clock: Clock,
  ) {}

  @Post('brokers/:broker/dispatches')
  @InProject('operator')
  @ApiHeader({ name: 'Idempotency-Key', required: false })
  @ApiHeader(PREFER_WAIT)
  @ApiOkResponse({ type: DispatchEnvelopeDto, description: 'It has ended.' })
  @ApiAcceptedResponse({ type: DispatchEnvelopeDto, description: 'It is on record, and has not ended.' })
  async create(
    @Param('broker') broker: string,
    @Body() body: CreateDispatchDto,
    @Asks() asking: Asking,
    @Waiting() wait: Wait,
    @Scoped() scope: Scope,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DispatchEnvelopeDto> {
    const order = {
      ...orderOf(body, this.clock.now()),
      brokerId: await this.brokers.within(scope, broker),
      ...asking,
    };
    if (body.project === undefined) requireScope(scope, null);
    else Object.assign(order, { projectId: await this.projects.within(scope, body.project) });
    return answer(reply, await this.dispatches.submit(order, wait));
  }

  @Post('dispatches/:id/cancel')
  @InProject('operator')
  @HttpCode(200)
  @ApiHeader(PREFER_WAIT)
  @ApiOkResponse({ type: DispatchEnvelopeDto, description: 'It has ended; `cancel.outcome` says how.' })
  @ApiAcceptedResponse({ type: DispatchEnvelopeDto, description: 'The broker is being asked to stop it.' })
  async cancel(
    @Param('id') id: string,
    @Waiting() wait: Wait,
    @Scoped() scope: Scope,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DispatchEnvelopeDto> {
    await this.dispatches.within(scope, dispatchId(id));
    return answer(reply, await this.dispatches.cancel(id, wait));
  }

  @Get('dispatches')
  @InProject('viewer')
  @ApiOkResponse({ type: DispatchListDto })
  async list(@Query() query: ListDispatchesDto, @Scoped() scope: Scope): Promise<DispatchListDto> {
    const { broker, project, agent, state, op } = query;
    const brokerId = broker === undefined ? null : await this.brokers.within(scope, broker);
    const projectId = project === undefined ? null : await this.projects.within(scope, project);
    const filter = { brokerId, projectId, agentId: agent ?? null, state: state ?? null, op: op ?? null };
    const listName = `dispatches ${JSON.stringify(filter)}`;
    const { rows, nextCursor } = await readPage(listName, query, (before, limit) =>
      this.dispatches.list({ ...filter, before, limit, sees: scope.sees }),
    );
    return { items: rows.map(toDispatchDto), nextCursor };
  }

  @Get('dispatches/:id')
  @InProject('viewer')
  @ApiHeader(PREFER_WAIT)
  @ApiOkResponse({ type: DispatchEnvelopeDto })
  async get(
    @Param('id') id: string,
    @Waiting() wait: Wait,
    @Scoped() scope: Scope,
  ): Promise<DispatchEnvelopeDto> {
    await this.dispatches.within(scope, dispatchId(id));
    return toEnvelope(await this.dispatches.wait(id, wait));
  }

  @Get('dispatches/:id/trail')
  @InProject('viewer')
  @ApiOkResponse({ type: TrailDto })
  async trail(@Param('id') id: string, @Scoped() scope: Scope): Promise<TrailDto> {
    await this.dispatches.within(scope, dispatchId(id));
    return { id, trail: (await this.dispatches.trail(id)).map(toTrailStep) };
  }
}
