import { describe, expect, it } from '@jest/globals';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Registry } from 'prom-client';
import { POLL_PATH } from '../../protocol/version.js';
import { Traces } from '../tracing/traces.js';
import { openMetricsOf } from './open-metrics.js';
import { RequestMetrics } from './request-metrics.js';

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const NAME = 'fairlead_http_request_duration_seconds';

type Answer = { method?: string; route?: string; status?: number; headers?: Record<string, string> };

/** What is exported once these were answered, each within 40 ms. */
async function exportedAfter(answers: Answer[], { isTraced = false } = {}): Promise<string> {
  const registry = new Registry();
  const traces = { isOn: isTraced } as Traces;
  const metrics = new RequestMetrics(traces);
  metrics.register(registry);
  for (const { method = 'GET', route = '/api/v1/brokers', status = 200, headers = {} } of answers) {
    const request = { method, routeOptions: { url: route }, headers } as unknown as FastifyRequest;
    metrics.answered(request, { statusCode: status, elapsedTime: 40 } as FastifyReply);
  }
  return (await openMetricsOf(registry)).text;
}

const counts = (text: string) => text.split('\n').filter((line) => line.startsWith(`${NAME}_count`));

describe('the time of an answer', () => {
  it('counts in seconds, under the method and the kind of status', async () => {
    const text = await exportedAfter([{}, {}, { status: 404 }, { method: 'PROPFIND', status: 405 }]);

    expect(counts(text)).toEqual([
      `${NAME}_count{method="GET",status="2xx",waits="no"} 2`,
      `${NAME}_count{method="GET",status="4xx",waits="no"} 1`,
      `${NAME}_count{method="other",status="4xx",waits="no"} 1`,
    ]);
    expect(text).toContain(`${NAME}_sum{method="GET",status="2xx",waits="no"} 0.08\n`);
  });

  it.each<[string, Answer]>([
    ['was to wait', { headers: { prefer: 'wait=20' } }],
    ['was to wait while something is heard', { headers: { prefer: 'respond-async, Wait=20; window=5' } }],
    ['is a poll of a broker', { route: POLL_PATH }],
  ])('is told apart where the request %s', async (_case, answer) => {
    expect(counts(await exportedAfter([answer]))).toEqual([
      `${NAME}_count{method="GET",status="2xx",waits="yes"} 1`,
    ]);
  });

  it('is not taken of what whoever watches the replica asks', async () => {
    const probes = ['/livez', '/readyz', '/health', '/metrics'].map((route) => ({ route }));

    expect(counts(await exportedAfter(probes))).toEqual([]);
  });

  it('names the trace of the request where traces are exported, and there alone', async () => {
    const answers = [{ headers: { traceparent: TRACEPARENT } }];

    expect(await exportedAfter(answers, { isTraced: true })).toMatch(
      /le="0\.05"\} 1 # \{trace_id="4bf92f3577b34da6a3ce929d0e0e4736",span_id="00f067aa0ba902b7"\} 0\.04 /,
    );
    expect(await exportedAfter(answers)).not.toContain('trace_id');
  });
});
