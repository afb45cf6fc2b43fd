import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Registry } from 'prom-client';
import { POLL_PATH } from '../../protocol/version.js';
import { isProbe } from '../http/probes.js';
import { Traces } from '../tracing/traces.js';
import { Distribution } from './distribution.js';
import { exposeDistributions, type Labelled } from './expose.js';

export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'other'] as const;
export const STATUSES = ['2xx', '3xx', '4xx', '5xx'] as const;
export const WAITS = ['no', 'yes'] as const;

/** In seconds: to what a caller may wait for at most. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;
const KNOWN: ReadonlySet<string> = new Set(METHODS);
/** These wait without being asked to: for something to tell a broker, or for what a broker answers. */
const WAITING: ReadonlySet<string> = new Set([
  POLL_PATH,
  '/api/v1/agents/:agent/logs',
  '/api/v1/agents/:agent/inspect',
]);
const WAIT = /(?:^|[,;\s])wait\s*=/i;

/**
 * How long answers to public requests took. Those that were asked to wait for something are told apart: their times say how
 * long that took, and not how fast the hub is. A request whose caller went away before the answer has no time.
 */
@Injectable()
export class RequestMetrics {
  private readonly byLabels = new Map<string, Labelled>();

  constructor(private readonly traces: Traces) {}

  register(registry: Registry): void {
    exposeDistributions(
      registry,
      [
        'fairlead_http_request_duration_seconds',
        'From a public request to its answer, without probes; `waits` where it was asked to wait.',
      ],
      () => [...this.byLabels.values()],
    );
  }

  answered(request: FastifyRequest, reply: FastifyReply): void {
    const { url: route } = request.routeOptions;
    if (isProbe(route)) return;
    const method = KNOWN.has(request.method) ? request.method : 'other';
    const status = `${Math.floor(reply.statusCode / 100)}xx`;
    const waits = WAITING.has(route ?? '') || isAskedToWait(request.headers) ? 'yes' : 'no';
    // By now it holds the context of the request's own span, where it has one.
    const { traceparent } = request.headers;
    const trace = this.traces.isOn && typeof traceparent === 'string' ? traceparent : undefined;
    this.of({ method, status, waits }).take(reply.elapsedTime / 1_000, trace);
  }

  private of(labels: { method: string; status: string; waits: string }): Distribution {
    const key = `${labels.method} ${labels.status} ${labels.waits}`;
    let labelled = this.byLabels.get(key);
    if (labelled === undefined) {
      labelled = { labels, distribution: new Distribution(BOUNDS) };
      this.byLabels.set(key, labelled);
    }
    return labelled.distribution;
  }
}

function isAskedToWait({ prefer }: FastifyRequest['headers']): boolean {
  return prefer !== undefined && WAIT.test(String(prefer));
}
