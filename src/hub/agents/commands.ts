import { applyDecorators, type Type } from '@nestjs/common';
import { ApiAcceptedResponse, ApiHeader, ApiOkResponse } from '../http/described.js';
import { PREFER_WAIT } from '../http/prefer.js';
import { DispatchEnvelopeDto } from '../dispatch/dto/dispatch.dto.js';

/**
 * What every request takes and answers that becomes one command for an agent.
 *
 * @param ended what it is answered with once that has ended
 */
export function Commands(ended: Type = DispatchEnvelopeDto): MethodDecorator {
  return applyDecorators(
    ApiHeader({ name: 'Idempotency-Key', required: false }),
    ApiHeader(PREFER_WAIT),
    ApiOkResponse({ type: ended, description: 'It has ended.' }),
    ApiAcceptedResponse({ type: DispatchEnvelopeDto, description: 'It is on record, and has not ended.' }),
  );
}
