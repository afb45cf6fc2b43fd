import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { CodedError } from '../problems/coded.error.js';

const TAG = /^"([1-9]\d{0,8})"$/;

/** The revision that the caller has read, from `If-Match`; null where it does not care. */
export const IfMatch = createParamDecorator((_data: undefined, context: ExecutionContext): number | null => {
  return revisionIn(context.switchToHttp().getRequest<FastifyRequest>().headers['if-match']);
});

/** @throws CodedError `request_invalid` */
export function revisionIn(header: string | undefined): number | null {
  if (header === undefined || header.trim() === '*') return null;
  const revision = TAG.exec(header.trim())?.[1];
  if (revision !== undefined) return Number(revision);
  const rule = 'must be the ETag of what was read, such as "3", or *';
  throw new CodedError('request_invalid', undefined, { fields: [{ path: 'If-Match', rule }] });
}

/** A revision as an `ETag`. */
export function etagOf({ revision }: { revision: number }): string {
  return `"${revision}"`;
}
