import { Controller, Get, Param } from '@nestjs/common';
import { InProject, Scoped } from '../auth/access.js';
import type { Scope } from '../auth/scope.js';
import { ApiOkResponse, ApiTags } from '../http/described.js';
import { DispatchNotFound } from './dispatch.errors.js';
import { Dispatches } from './dispatches.js';
import { dispatchId } from './dto/order.js';
import { WhyDto } from './dto/why.dto.js';
import { WhyRepository } from './why.repository.js';

/** Explains what a command waits for: the cause, who holds the broker, and how old each fact is. */
@ApiTags('dispatches')
@Controller('api/v1/dispatches')
export class WhyController {
  constructor(
    private readonly repository: WhyRepository,
    private readonly dispatches: Dispatches,
  ) {}

  @Get(':id/why')
  @InProject('viewer')
  @ApiOkResponse({ type: WhyDto })
  async why(@Param('id') id: string, @Scoped() scope: Scope): Promise<WhyDto> {
    await this.dispatches.within(scope, dispatchId(id));
    const [about] = await this.repository.read([id]);
    if (about === undefined) throw new DispatchNotFound();
    return WhyDto.of(about);
  }
}
