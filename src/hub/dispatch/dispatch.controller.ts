import { Body, Controller, Get, Param, Post, Query, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiHeader, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { isOp, type Op } from '../../protocol/op.js';
import { isUuid } from '../../protocol/read.js';
import { Person } from '../auth/access.js';
import { readPage } from '../http/page.js';
import { WaitS } from '../http/prefer.js';
import { CodedError } from '../problems/coded.error.js';
import { Brokers } from '../registry/brokers.js';
import { Asks, type Asking } from './caller.js';
import { DispatchNotFound } from './dispatch.errors.js';
import { Dispatches } from './dispatches.js';
import {
  CreateDispatchDto,
  DispatchEnvelopeDto,
  DispatchListDto,
  ListDispatchesDto,
  TrailDto,
} from './dto/dispatch.dto.js';
import { toDispatchDto, toEnvelope, toTrailStep } from './dto/map.js';
import { answer } from './dto/answer.js';

/** Ops that go through the agents' own routes, which keep the agent's record in step. */
const isForBrokers = (op: string): op is Op => isOp(op) && !op.startsWith('agent.');

@ApiTags('dispatches')
@Controller('api/v1')
export class DispatchController {
  constructor(
    private readonly dispatches: Dispatches,
    private readonly brokers: Brokers,
  ) {}

  @Post('brokers/:broker/dispatches')
  @Person()
  @ApiHeader({ name: 'Idempotency-Key', required: false })
  @ApiHeader({
    name: 'Prefer',
    required: false,
    description: '`wait=N`: hold the answer for the end, N seconds.',
  })
  @ApiOkResponse({ type: DispatchEnvelopeDto, description: 'It has ended.' })
  @ApiAcceptedResponse({ type: DispatchEnvelopeDto, description: 'It is on record, and has not ended.' })
  async create(
    @Param('broker') broker: string,
    @Body() body: CreateDispatchDto,
    @Asks() asking: Asking,
    @WaitS() waitS: number,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DispatchEnvelopeDto> {
    const { op, args = {}, orderingKey, lane, deadlineS } = body;
    if (!isForBrokers(op)) throw new CodedError('op_unknown', `There is no op ${op} to ask a broker for.`);
    const order = {
      brokerId: await this.brokers.idOf(broker),
      op,
      args,
      ...(orderingKey === undefined ? {} : { orderingKey }),
      ...(lane === undefined ? {} : { lane }),
      ...(deadlineS === undefined ? {} : { deadlineS }),
      ...asking,
    };
    return answer(reply, await this.dispatches.submit(order, waitS));
  }

  @Get('dispatches')
  @Person()
  @ApiOkResponse({ type: DispatchListDto })
  async list(@Query() query: ListDispatchesDto): Promise<DispatchListDto> {
    const { broker, agent, state } = query;
    const brokerId = broker === undefined ? null : await this.brokers.idOf(broker);
    const filter = { brokerId, agentId: agent ?? null, state: state ?? null };
    const listName = `dispatches ${JSON.stringify(filter)}`;
    const { rows, nextCursor } = await readPage(listName, query, (before, limit) =>
      this.dispatches.list({ ...filter, before, limit }),
    );
    return { items: rows.map(toDispatchDto), nextCursor };
  }

  @Get('dispatches/:id')
  @Person()
  @ApiHeader({
    name: 'Prefer',
    required: false,
    description: '`wait=N`: hold the answer for the end, N seconds.',
  })
  @ApiOkResponse({ type: DispatchEnvelopeDto })
  async get(@Param('id') id: string, @WaitS() waitS: number): Promise<DispatchEnvelopeDto> {
    return toEnvelope(await this.dispatches.wait(checked(id), waitS));
  }

  @Get('dispatches/:id/trail')
  @Person()
  @ApiOkResponse({ type: TrailDto })
  async trail(@Param('id') id: string): Promise<TrailDto> {
    return { id, trail: (await this.dispatches.trail(checked(id))).map(toTrailStep) };
  }
}

function checked(id: string): string {
  if (!isUuid(id)) throw new DispatchNotFound();
  return id;
}
