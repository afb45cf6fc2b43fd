import { Body, Controller, HttpCode, Param, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { InProject, Scoped } from '../auth/access.js';
import type { Scope } from '../auth/scope.js';
import { ApiAcceptedResponse, ApiHeader, ApiOkResponse, ApiTags } from '../http/described.js';
import { PREFER_WAIT, Waiting, type Wait } from '../http/prefer.js';
import { Asks, type Asking } from './caller.js';
import { answer } from './dto/answer.js';
import { DispatchEnvelopeDto } from './dto/dispatch.dto.js';
import { dispatchId } from './dto/order.js';
import { RedriveDto, RedrivenDto } from './dto/redrive.dto.js';
import { Redrives } from './redrives.js';

@ApiTags('dispatches')
@Controller('api/v1/dispatches')
export class RedriveController {
  constructor(private readonly redrives: Redrives) {}

  @Post('redrive')
  @InProject('operator')
  @HttpCode(200)
  @ApiHeader({ name: 'Idempotency-Key', required: false })
  @ApiOkResponse({ type: RedrivenDto })
  async matching(
    @Body() filter: RedriveDto,
    @Asks() asking: Asking,
    @Scoped() scope: Scope,
  ): Promise<RedrivenDto> {
    return this.redrives.matching(filter, asking, scope);
  }

  @Post(':id/redrive')
  @InProject('operator')
  @ApiHeader({ name: 'Idempotency-Key', required: false })
  @ApiHeader(PREFER_WAIT)
  @ApiOkResponse({ type: DispatchEnvelopeDto, description: 'The new command has ended.' })
  @ApiAcceptedResponse({ type: DispatchEnvelopeDto, description: 'The new command is on record.' })
  async one(
    @Param('id') id: string,
    @Asks() asking: Asking,
    @Waiting() wait: Wait,
    @Scoped() scope: Scope,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DispatchEnvelopeDto> {
    return answer(reply, await this.redrives.one(dispatchId(id), asking, wait, scope));
  }
}
