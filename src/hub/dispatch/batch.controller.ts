import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { InProject, Scoped } from '../auth/access.js';
import type { Scope } from '../auth/scope.js';
import { ApiHeader, ApiOkResponse, ApiTags } from '../http/described.js';
import { Waiting, type Wait } from '../http/prefer.js';
import { Batches } from './batches.js';
import { Asks, type Asking } from './caller.js';
import { BatchDto, CreateBatchDto } from './dto/batch.dto.js';
import { toOutcomeDto } from './dto/outcome.js';

@ApiTags('dispatches')
@Controller('api/v1/dispatches/batch')
export class BatchController {
  constructor(private readonly batches: Batches) {}

  @Post()
  @InProject('operator')
  @HttpCode(200)
  @ApiHeader({ name: 'Idempotency-Key', required: false })
  @ApiHeader({
    name: 'Prefer',
    required: false,
    description: '`wait=N`: hold the answer until all have ended, N seconds; `window=W` as for one.',
  })
  @ApiOkResponse({ type: BatchDto })
  async create(
    @Body() { items }: CreateBatchDto,
    @Asks() asking: Asking,
    @Waiting() wait: Wait,
    @Scoped() scope: Scope,
  ): Promise<BatchDto> {
    const outcomes = (await this.batches.submit(items, asking, wait, scope)).map(toOutcomeDto);
    const accepted = outcomes.filter(({ dispatch }) => dispatch !== null).length;
    return { items: outcomes, accepted, refused: outcomes.length - accepted };
  }
}
