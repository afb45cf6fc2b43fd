import { createHash } from 'node:crypto';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { CodedError } from '../problems/coded.error.js';

/** The caller's key for repeating a request safely; the scope is the caller and the route. */
export type Idempotency = { scope: string; key: string; requestHash: string };

const KEY = /^[\x21-\x7e]{1,255}$/;

/** The request's `Idempotency-Key`, where it has one. Only for routes that ask for a person. */
export const RequestKey = createParamDecorator(
  (_data: undefined, context: ExecutionContext): Idempotency | undefined =>
    idempotencyOf(context.switchToHttp().getRequest<FastifyRequest>()),
);

/** @throws CodedError `request_invalid` for a key that is none */
export function idempotencyOf(request: FastifyRequest): Idempotency | undefined {
  const { principal } = request;
  if (principal === undefined) throw new Error('a public route asks for the key of its caller');
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !KEY.test(key)) {
    const rule = 'must be 1 to 255 visible ASCII characters';
    throw new CodedError('request_invalid', undefined, { fields: [{ path: 'Idempotency-Key', rule }] });
  }
  // Keys belong to a caller and a route, never to everybody; the path tells which thing the route acts on.
  const scope = `${principal.userId} ${request.method} ${request.routeOptions.url ?? ''}`;
  const requestHash = createHash('sha256')
    .update(JSON.stringify([request.params ?? null, request.body ?? null]))
    .digest('base64url');
  return { scope, key, requestHash };
}
