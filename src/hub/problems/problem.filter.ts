import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AGENT_TOKENS_PATH, CONTROL_PATH } from '../../protocol/version.js';
import { PROBLEMS, type Problem, type ProblemCode } from './code.js';
import { CodedError } from './coded.error.js';

/** Turns whatever a request handler threw into a problem document. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly log = new Logger('http');

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const isOfBrokers = [CONTROL_PATH, AGENT_TOKENS_PATH].some((path) => request.url.startsWith(path));
    const coded = asCoded(thrown);
    const error = request.method === 'GET' || isOfBrokers ? coded : ofChange(coded);
    if (error.code === 'internal') this.log.error({ requestId: request.id, err: thrown }, 'a request failed');
    const reply = http.getResponse<FastifyReply>();
    if (error.retryAfterS !== undefined) void reply.header('retry-after', String(error.retryAfterS));
    void reply.headers(error.extra.headers ?? {});
    // Of people and programs the bearer, of brokers what RFC 9449 has.
    const scheme = isOfBrokers ? 'DPoP algs="EdDSA"' : 'Bearer';
    if (error.status === 401) void reply.header('www-authenticate', scheme);
    void reply.status(error.status).type('application/problem+json').send(problemOf(error, request.id));
  }
}

/** The document for an error, as sent to the client. */
export function problemOf(error: CodedError, requestId: string): Problem {
  const { status, title, remedy } = PROBLEMS[error.code];
  return {
    ...error.extra.members,
    type: `urn:fairlead:problem:${error.code}`,
    title,
    status,
    code: error.code,
    detail: error.message,
    remedy,
    requestId,
    ...(error.extra.fields === undefined ? {} : { fields: error.extra.fields }),
  };
}

/** The coded error that stands for anything thrown; what is not known to be the client's is `internal`. */
export function asCoded(thrown: unknown): CodedError {
  if (thrown instanceof CodedError) return thrown;
  if (isUnstorable(thrown)) return new CodedError('request_invalid');
  const status = statusOf(thrown);
  const code = status === undefined ? undefined : CODE_BY_STATUS[status];
  return code === undefined ? new CodedError('internal') : new CodedError(code);
}

/** The same for whoever has asked for a change: nobody may take what may be on record for what was not stored. */
function ofChange(error: CodedError): CodedError {
  const { ofChange: code } = error.extra;
  return code === undefined ? error : new CodedError(code, undefined, { cause: error });
}

/** A value that the database cannot hold (class 22), such as a NUL in a text: that is the fault of whoever said it. */
export function isUnstorable(thrown: unknown): boolean {
  return /^22/.test(String((thrown as { code?: unknown } | null)?.code));
}

const CODE_BY_STATUS: Record<number, ProblemCode> = {
  400: 'request_invalid',
  404: 'not_found',
  405: 'not_found',
  413: 'request_too_large',
  414: 'request_too_large',
  415: 'request_invalid',
  431: 'request_too_large',
};

/** Nest's own exceptions and Fastify's parser errors carry an HTTP status. */
function statusOf(thrown: unknown): number | undefined {
  if (thrown instanceof HttpException) return thrown.getStatus();
  const status = (thrown as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' ? status : undefined;
}
