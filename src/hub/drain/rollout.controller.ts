import { Controller, Get, Param, Query } from '@nestjs/common';
import { Person } from '../auth/access.js';
import { IdParams } from '../auth/dto/id.dto.js';
import { ApiOkResponse, ApiTags } from '../http/described.js';
import { PageQuery, readPage } from '../http/page.js';
import { RolloutDto, RolloutPageDto } from './dto/rollout.dto.js';
import { Rollouts } from './rollouts.js';

@ApiTags('replicas')
@Person()
@Controller('api/v1/rollouts')
export class RolloutController {
  constructor(private readonly rollouts: Rollouts) {}

  /** Every drain of a replica in the last 30 days, and what became of the brokers and commands that were there. */
  @Get()
  @ApiOkResponse({ type: RolloutPageDto, description: 'Newest first.' })
  async list(@Query() query: PageQuery): Promise<RolloutPageDto> {
    const { rows, nextCursor } = await readPage('rollouts', query, (before, limit) =>
      this.rollouts.list(before, limit),
    );
    return { items: rows.map((row) => RolloutDto.of(row)), nextCursor };
  }

  /** One of them. It has a report once nothing is left to wait for, at the latest 45 s after the drain. */
  @Get(':id')
  @ApiOkResponse({ type: RolloutDto })
  async get(@Param() { id }: IdParams): Promise<RolloutDto> {
    return RolloutDto.of(await this.rollouts.get(id));
  }
}
