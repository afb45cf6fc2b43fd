import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { Person } from '../auth/access.js';
import { Acting, type Actor } from '../auth/actor.js';
import { IdParams } from '../auth/dto/id.dto.js';
import { Replica } from '../cluster/replica.js';
import { ApiAcceptedResponse, ApiOkResponse, ApiTags } from '../http/described.js';
import { DrainReplicaDto, ReplicaDto, ReplicaPageDto } from './dto/replica.dto.js';
import { RemoteDrains } from './remote-drains.js';

@ApiTags('replicas')
@Controller('api/v1/replicas')
export class ReplicaController {
  constructor(
    private readonly replica: Replica,
    private readonly drains: RemoteDrains,
  ) {}

  /** Live replicas, and those that were gone within the last day; at most 200, so there is one page. */
  @Get()
  @Person()
  @ApiOkResponse({ type: ReplicaPageDto })
  async list(): Promise<ReplicaPageDto> {
    return { items: (await this.replica.list()).map((row) => ReplicaDto.of(row)), nextCursor: null };
  }

  /** Has any replica hand over its brokers and end; asked again, it joins the drain that is under way. */
  @Post(':id/drain')
  @Person('admin')
  @HttpCode(202)
  @ApiAcceptedResponse({ type: ReplicaDto, description: 'As it was when it was asked; the drain has begun.' })
  async drain(
    @Param() { id }: IdParams,
    @Acting() actor: Actor,
    @Body() { deadlineS }: DrainReplicaDto,
  ): Promise<ReplicaDto> {
    return ReplicaDto.of(await this.drains.begin(id, deadlineS, actor));
  }
}
