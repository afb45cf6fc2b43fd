import { Body, Controller, Get, Header, Param, Post, Query } from '@nestjs/common';
import { Person, Public } from '../auth/access.js';
import { ApiCreatedResponse, ApiOkResponse, ApiTags } from '../http/described.js';
import { PageQuery, readPage } from '../http/page.js';
import { Brokers } from './brokers.js';
import { BrokerDto, BrokerPageDto, JoinBrokerDto, JoinedBrokerDto } from './dto/broker.dto.js';

@ApiTags('brokers')
@Controller('api/v1/brokers')
export class BrokerController {
  constructor(private readonly brokers: Brokers) {}

  /** Public as a route: the join token in the body is the credential. */
  @Post('join')
  @Public()
  @Header('cache-control', 'no-store')
  @ApiCreatedResponse({ type: JoinedBrokerDto })
  async join(@Body() body: JoinBrokerDto): Promise<JoinedBrokerDto> {
    return this.brokers.join(body);
  }

  @Get()
  @Person()
  @ApiOkResponse({ type: BrokerPageDto })
  async list(@Query() query: PageQuery): Promise<BrokerPageDto> {
    const { rows, nextCursor } = await readPage('brokers', query, (before, limit) =>
      this.brokers.list(before, limit),
    );
    return { items: rows.map((row) => BrokerDto.of(row)), nextCursor };
  }

  @Get(':broker')
  @Person()
  @ApiOkResponse({ type: BrokerDto })
  async get(@Param('broker') broker: string): Promise<BrokerDto> {
    return BrokerDto.of(await this.brokers.get(broker));
  }
}
