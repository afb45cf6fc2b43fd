import { Body, Controller, Get, Header, Headers, Param, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { InProject, Public, Scoped } from '../auth/access.js';
import { From, type Origin } from '../auth/actor.js';
import type { Scope } from '../auth/scope.js';
import { LimitedByFailures } from '../auth/limits/limited.js';
import { ApiCreatedResponse, ApiHeader, ApiOkResponse, ApiTags } from '../http/described.js';
import { readPage } from '../http/page.js';
import { Attachments } from './attachments.js';
import { Brokers } from './brokers.js';
import { filterOf, ListBrokersQuery, listNameOf } from './dto/broker-filter.js';
import { BrokerDto, BrokerPageDto, JoinBrokerDto, JoinedBrokerDto } from './dto/broker.dto.js';
import { ConnectionDto } from './dto/connection.dto.js';
import { HistoryQuery, StayDto, StayPageDto } from './dto/stay.dto.js';
import { Stays } from './stays.js';
import { tagged } from './tagged.js';
import { WaysBack } from './ways-back.js';

@ApiTags('brokers')
@Controller('api/v1/brokers')
export class BrokerController {
  constructor(
    private readonly brokers: Brokers,
    private readonly attachments: Attachments,
    private readonly stays: Stays,
    private readonly waysBack: WaysBack,
  ) {}

  /** Public as a route: the join token in the body is the credential. */
  @Post('join')
  @LimitedByFailures('join')
  @Public()
  @Header('cache-control', 'no-store')
  @ApiHeader({
    name: 'DPoP',
    required: false,
    description:
      'A proof of the key for this join (RFC 9449), with the join token in `ath`: the same machine that joins again with it gets its ' +
      'broker back, and takes no seat.',
  })
  @ApiCreatedResponse({ type: JoinedBrokerDto })
  async join(
    @Body() body: JoinBrokerDto,
    @From() origin: Origin,
    @Headers('dpop') proof?: string,
  ): Promise<JoinedBrokerDto> {
    return this.brokers.join(body, origin, proof);
  }

  @Get()
  @InProject('viewer')
  @ApiOkResponse({ type: BrokerPageDto, description: 'Newest first; those that are away stay listed.' })
  async list(@Query() query: ListBrokersQuery, @Scoped() scope: Scope): Promise<BrokerPageDto> {
    const filter = filterOf(query);
    const { rows, nextCursor } = await readPage(listNameOf('brokers', filter), query, (before, limit) =>
      this.brokers.list(before, filter, limit, scope),
    );
    const admissions = await this.attachments.admissionsOf(
      rows.map(({ id }) => id),
      scope,
    );
    return { items: rows.map((row) => BrokerDto.of(row, admissions.get(row.id))), nextCursor };
  }

  @Get(':broker')
  @InProject('viewer')
  @ApiOkResponse({ type: BrokerDto })
  async get(
    @Param('broker') broker: string,
    @Scoped() scope: Scope,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BrokerDto> {
    const row = await this.brokers.get(await this.brokers.within(scope, broker));
    const admissions = await this.attachments.admissionsOf([row.id], scope);
    return tagged(reply, row, admissions.get(row.id));
  }

  @Get(':broker/connection')
  @InProject('viewer')
  @ApiOkResponse({
    type: ConnectionDto,
    description: 'How it comes to be linked again, in commands without any secret.',
  })
  async connection(@Param('broker') broker: string, @Scoped() scope: Scope): Promise<ConnectionDto> {
    return this.waysBack.of(broker, scope);
  }

  @Get(':broker/history')
  @InProject('viewer')
  @ApiOkResponse({ type: StayPageDto, description: 'Who owned it, of the last 30 days, newest first.' })
  async history(
    @Param('broker') broker: string,
    @Query() query: HistoryQuery,
    @Scoped() scope: Scope,
  ): Promise<StayPageDto> {
    const { id } = await this.brokers.get(await this.brokers.within(scope, broker));
    const at = query.at === undefined ? null : new Date(query.at);
    const listName = `stays ${id} ${at?.getTime() ?? ''}`;
    const { rows, nextCursor } = await readPage(listName, query, (before, limit) =>
      this.stays.list(id, before, at, limit),
    );
    return { items: rows.map((row) => StayDto.of(row)), nextCursor };
  }
}
