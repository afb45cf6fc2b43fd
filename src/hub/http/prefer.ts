import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { CodedError } from '../problems/coded.error.js';

/** Longest time that a request is held, in seconds. */
export const WAIT_MOST_S = 300;

/**
 * Seconds that the caller is willing to wait for the end of what it asks for (RFC 7240, `Prefer: wait=N`); 0 without.
 *
 * @throws CodedError for a wait that is not a whole number of seconds up to 300
 */
export function waitOf(prefer: string | undefined): number {
  if (prefer === undefined) return 0;
  const wait = prefer
    .split(',')
    .map((preference) => /^\s*wait\s*=\s*"?(\S*?)"?\s*$/i.exec(preference)?.[1])
    .find((value) => value !== undefined);
  if (wait === undefined) return 0;
  const seconds = /^\d{1,3}$/.test(wait) ? Number(wait) : Infinity;
  if (seconds > WAIT_MOST_S) {
    const rule = `wait must be a whole number of seconds up to ${WAIT_MOST_S}`;
    throw new CodedError('request_invalid', undefined, { fields: [{ path: 'Prefer', rule }] });
  }
  return seconds;
}

/** The `Prefer: wait=N` of the request, in seconds. */
export const WaitS = createParamDecorator((_data: undefined, context: ExecutionContext): number => {
  const { prefer } = context.switchToHttp().getRequest<FastifyRequest>().headers;
  return waitOf(Array.isArray(prefer) ? prefer.join(',') : prefer);
});
