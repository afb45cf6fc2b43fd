import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Person } from '../auth/access.js';
import { WaitS } from '../http/prefer.js';
import { PROBLEMS } from '../problems/code.js';
import { asCoded } from '../problems/problem.filter.js';
import { Batches, type BatchOutcome } from './batches.js';
import { Asks, type Asking } from './caller.js';
import { BatchDto, CreateBatchDto, type BatchOutcomeDto } from './dto/batch.dto.js';
import { toDispatchDto } from './dto/map.js';

@ApiTags('dispatches')
@Controller('api/v1/dispatches/batch')
export class BatchController {
  constructor(private readonly batches: Batches) {}

  @Post()
  @Person()
  @HttpCode(200)
  @ApiHeader({ name: 'Idempotency-Key', required: false })
  @ApiHeader({
    name: 'Prefer',
    required: false,
    description: '`wait=N`: hold the answer until all have ended, N seconds.',
  })
  @ApiOkResponse({ type: BatchDto })
  async create(
    @Body() { items }: CreateBatchDto,
    @Asks() asking: Asking,
    @WaitS() waitS: number,
  ): Promise<BatchDto> {
    const outcomes = (await this.batches.submit(items, asking, waitS)).map(toOutcomeDto);
    const accepted = outcomes.filter(({ dispatch }) => dispatch !== null).length;
    return { items: outcomes, accepted, refused: outcomes.length - accepted };
  }
}

/** An error that is no refusal of this one command, and nothing that a caller is told, is the whole request's. */
function toOutcomeDto(outcome: BatchOutcome): BatchOutcomeDto {
  if ('record' in outcome) return { dispatch: toDispatchDto(outcome.record), problem: null };
  const error = asCoded(outcome.error);
  if (error.code === 'internal') throw outcome.error;
  const { code, message: detail, status, extra } = error;
  const { title, remedy } = PROBLEMS[code];
  const fields = extra.fields === undefined ? {} : { fields: extra.fields };
  return { dispatch: null, problem: { ...extra.members, code, title, detail, remedy, status, ...fields } };
}
