import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Tracer } from '../../tracing/tracer.js';
import { isProbe } from '../http/probes.js';
import { TRACER } from './tracer.token.js';

/**
 * A span for each request, by its route, method and status: never its path, its query, its headers or its body, where
 * names and secrets travel.
 */
@Injectable()
export class RequestSpans {
  constructor(@Inject(TRACER) private readonly tracer: Tracer | null) {}

  /**
   * The request goes on in the context of its span: what it asks for is stored with that, and so are its effects.
   *
   * @returns that context (W3C); undefined for what is not traced
   */
  begin(request: FastifyRequest, reply: FastifyReply): string | undefined {
    const { method, headers, routeOptions, id } = request;
    const route = routeOptions.url;
    if (this.tracer === null || isProbe(route)) return undefined;
    const span = this.tracer.begin({
      name: route === undefined ? method : `${method} ${route}`,
      kind: 'server',
      parent: typeof headers.traceparent === 'string' ? headers.traceparent : undefined,
      attributes: { 'http.request.method': method, 'http.route': route, 'fairlead.request.id': id },
    });
    headers.traceparent = span.traceparent;
    // Also where the caller went away before the answer, which no hook of Fastify tells.
    reply.raw.once('close', () => {
      const { writableFinished, statusCode } = reply.raw;
      const attributes = writableFinished ? { 'http.response.status_code': statusCode } : {};
      const failure = writableFinished ? faultOf(statusCode) : 'caller_gone';
      span.end({ attributes, failure });
    });
    return span.traceparent;
  }
}

/** What the caller did wrong is no failure of the hub. */
function faultOf(status: number): string | undefined {
  return status >= 500 ? String(status) : undefined;
}
