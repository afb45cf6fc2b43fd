import { createHash } from 'node:crypto';
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

/**
 * The asking for one of several commands of a request, which is known by the request's key and its own part of it.
 *
 * @param content what a repeat must have the same
 */
export function askingForPart({ initiator, idempotency }: Asking, part: string, content: object): Asking {
  if (idempotency === undefined) return { initiator };
  const requestHash = createHash('sha256').update(JSON.stringify(content)).digest('base64url');
  const key = `${idempotency.key} ${part}`;
  return {
    initiator: { ...initiator, idempotencyKey: key },
    idempotency: { ...idempotency, key, requestHash },
  };
}
