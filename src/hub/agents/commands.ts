import { applyDecorators } from '@nestjs/common';
import { ApiAcceptedResponse, ApiHeader, ApiOkResponse } from '../http/described.js';
import { PREFER_WAIT } from '../http/prefer.js';
import { DispatchEnvelopeDto } from '../dispatch/dto/dispatch.dto.js';

/** What every request takes and answers that becomes one command for an agent. */
export function Commands(): MethodDecorator {
  return applyDecorators(
    ApiHeader({ name: 'Idempotency-Key', required: false }),
    ApiHeader(PREFER_WAIT),
    ApiOkResponse({ type: DispatchEnvelopeDto, description: 'It has ended.' }),
    ApiAcceptedResponse({ type: DispatchEnvelopeDto, description: 'It is on record, and has not ended.' }),
  );
}
