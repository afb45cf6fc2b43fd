import { createHash } from 'node:crypto';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { isTraceparent } from '../../protocol/traceparent.js';
import { CodedError } from '../problems/coded.error.js';
import type { Idempotency, Initiator } from './draft.js';

/** Who asks for work, and how a repeat of the asking is recognized. */
export type Asking = { initiator: Initiator; idempotency?: Idempotency };

const KEY = /^[\x21-\x7e]{1,255}$/;

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
  const key = request.headers['idempotency-key'];
  if (key === undefined) return { initiator };
  if (typeof key !== 'string' || !KEY.test(key)) {
    const rule = 'must be 1 to 255 visible ASCII characters';
    throw new CodedError('request_invalid', undefined, { fields: [{ path: 'Idempotency-Key', rule }] });
  }
  // Keys belong to a caller and a route, never to everybody; the path tells which thing the route acts on.
  const scope = `${userId} ${request.method} ${request.routeOptions.url ?? ''}`;
  const requestHash = createHash('sha256')
    .update(JSON.stringify([request.params ?? null, request.body ?? null]))
    .digest('base64url');
  return {
    initiator: { ...initiator, idempotencyKey: key },
    idempotency: { scope, key, requestHash },
  };
});
