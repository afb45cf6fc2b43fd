import { Body, Controller, HttpCode, Param, Patch, Post, Res } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiTags } from '../http/described.js';
import type { FastifyReply } from 'fastify';
import { Person } from '../auth/access.js';
import { Acting, type Actor } from '../auth/actor.js';
import { EVERYWHERE } from '../auth/scope.js';
import { IfMatch } from '../http/if-match.js';
import { Attachments } from './attachments.js';
import type { BrokerRow } from './broker.repository.js';
import { BrokerDto } from './dto/broker.dto.js';
import { KickDto, UpdateBrokerDto } from './dto/operation.dto.js';
import { Operations } from './operations.js';
import { tagged } from './tagged.js';

/** What an operator does with a broker; each answers with the broker as it is then. */
@ApiTags('brokers')
@Person('admin')
@Controller('api/v1/brokers/:broker')
export class OperationController {
  constructor(
    private readonly operations: Operations,
    private readonly attachments: Attachments,
  ) {}

  @Patch()
  @ApiHeader({ name: 'If-Match', required: false, description: 'The `ETag` of what was read.' })
  @ApiOkResponse({ type: BrokerDto })
  async update(
    @Param('broker') broker: string,
    @IfMatch() revision: number | null,
    @Acting() actor: Actor,
    @Body() body: UpdateBrokerDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BrokerDto> {
    return this.told(reply, await this.operations.update(broker, revision, body, actor));
  }

  @Post('cordon')
  @HttpCode(200)
  @ApiOkResponse({ type: BrokerDto, description: 'No new agents are placed on it.' })
  async cordon(
    @Param('broker') broker: string,
    @Acting() actor: Actor,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BrokerDto> {
    return this.told(reply, await this.operations.cordon(broker, actor));
  }

  @Post('uncordon')
  @HttpCode(200)
  @ApiOkResponse({ type: BrokerDto, description: 'It is in service, whatever took it out.' })
  async uncordon(
    @Param('broker') broker: string,
    @Acting() actor: Actor,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BrokerDto> {
    return this.told(reply, await this.operations.uncordon(broker, actor));
  }

  @Post('drain')
  @HttpCode(200)
  @ApiOkResponse({
    type: BrokerDto,
    description: 'Its agents are being stopped; `service` tells how far it is.',
  })
  async drain(
    @Param('broker') broker: string,
    @Acting() actor: Actor,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BrokerDto> {
    return this.told(reply, await this.operations.drain(broker, actor));
  }

  @Post('kick')
  @HttpCode(200)
  @ApiOkResponse({ type: BrokerDto, description: 'Its connection is over; it connects again.' })
  async kick(
    @Param('broker') broker: string,
    @Acting() actor: Actor,
    @Body() { reason }: KickDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BrokerDto> {
    return this.told(reply, await this.operations.kick(broker, reason, actor));
  }

  @Post('revoke')
  @HttpCode(200)
  @ApiOkResponse({ type: BrokerDto, description: 'Its link is being cut, and it is admitted no more.' })
  async revoke(
    @Param('broker') broker: string,
    @Acting() actor: Actor,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BrokerDto> {
    return this.told(reply, await this.operations.revoke(broker, actor));
  }

  private async told(reply: FastifyReply, row: BrokerRow): Promise<BrokerDto> {
    const admissions = await this.attachments.admissionsOf([row.id], EVERYWHERE);
    return tagged(reply, row, admissions.get(row.id));
  }
}
