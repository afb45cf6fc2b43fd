import { Controller, Get, Param } from '@nestjs/common';
import { Person } from '../auth/access.js';
import { ApiOkResponse, ApiTags } from '../http/described.js';
import { DispatchNotFound } from './dispatch.errors.js';
import { dispatchId } from './dto/order.js';
import { WhyDto } from './dto/why.dto.js';
import { WhyRepository } from './why.repository.js';

/** Explains what a command waits for: the cause, who holds the broker, and how old each fact is. */
@ApiTags('dispatches')
@Controller('api/v1/dispatches')
export class WhyController {
  constructor(private readonly repository: WhyRepository) {}

  @Get(':id/why')
  @Person()
  @ApiOkResponse({ type: WhyDto })
  async why(@Param('id') id: string): Promise<WhyDto> {
    const [about] = await this.repository.read([dispatchId(id)]);
    if (about === undefined) throw new DispatchNotFound();
    return WhyDto.of(about);
  }
}
