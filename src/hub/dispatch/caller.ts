import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { isTraceparent } from '../../protocol/traceparent.js';
import { idempotencyOf, type Idempotency } from '../auth/request-key.js';
import type { Initiator } from './draft.js';

/** Who asks for work, and how a repeat of the asking is recognized. */
export type Asking = { initiator: Initiator; idempotency?: Idempotency };

/** The caller of the request, and its `Idempotency-Key` where it sent one. */
export const Asks = createParamDecorator((_data: undefined, context: ExecutionContext): Asking => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const { principal } = request;
  if (principal === undefined) throw new Error('a public route asks who its caller is');
  const { userId, name, credentialId } = principal;
  const initiator: Initiator = { kind: 'person', id: userId, name, credentialId, requestId: request.id };
  // What is no trace context is left out, as its specification asks: a trace must never fail a request.
  const { traceparent } = request.headers;
  if (isTraceparent(traceparent)) initiator.traceparent = traceparent;
  const idempotency = idempotencyOf(request);
  if (idempotency === undefined) return { initiator };
  return { initiator: { ...initiator, idempotencyKey: idempotency.key }, idempotency };
});
