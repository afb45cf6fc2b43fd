import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BrokerProcess } from '../support/broker-process.js';
import { Cluster } from '../support/cluster.js';
import { Collector, type ExportedSpan } from '../support/collector.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const SECRET = 'Qx7-planted-where-secrets-travel';
const SERVER = 2;
const PARTS = ['accept', 'claim', 'send', 'execute', 'run', 'settle']
  .map((part) => `dispatch.${part}`)
  .sort();
/** Spans leave by the clock, and a busy machine takes its time. */
const EXPORTED = { withinMs: 20_000, everyMs: 50 };
const TELLS_MODULES = { NODE_OPTIONS: `--import=${resolve('test/support/loaded-modules.mjs')}` };

/**
 * The callers are at replica 0, where the test does not say otherwise; the broker, a process of its own, is linked to
 * replica 1. All three export to one collector. Replica 2 was told nothing of tracing.
 */
describe('the trace of a request', () => {
  let collector: Collector;
  let cluster: Cluster;
  let broker: BrokerProcess;
  let tracing: Record<string, string>;

  beforeAll(async () => {
    collector = await Collector.start();
    tracing = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      // What could not be exported by then is lost: to a collector that is there it must not happen on a busy machine.
      OTEL_EXPORTER_OTLP_TIMEOUT: '6000',
      OTEL_BSP_SCHEDULE_DELAY: '50',
    };
    cluster = await Cluster.start(0);
    await cluster.addReplica({ ...tracing, ...TELLS_MODULES });
    await cluster.addReplica(tracing);
    await cluster.addReplica(TELLS_MODULES);
    broker = await BrokerProcess.join(cluster.api(0), cluster.hub(1).url, 'traced');
    await broker.start(cluster.api(0), { ...tracing, OTEL_SERVICE_NAME: 'broker-of-mine' });
  });

  afterAll(async () => {
    await broker?.remove();
    await cluster?.stop();
    await collector?.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  const ping = async (headers: Record<string, string> = {}, replica = 0): Promise<string> => {
    const path = `/api/v1/brokers/${broker.name}/dispatches`;
    const order = { op: 'broker.ping', orderingKey: null };
    const { status, body } = await cluster.api(replica).post(path, order, { prefer: 'wait=10', ...headers });
    expect({ status, body }).toMatchObject({ status: 200, body: { dispatch: { state: 'succeeded' } } });
    return body.dispatch.id;
  };
  const ofDispatch = (id: string): ExportedSpan[] =>
    collector.spans.filter(({ attributes }) => attributes['fairlead.dispatch.id'] === id);
  /** Its parts, and the request above them, once all were exported. */
  const traceOf = async (id: string) => {
    const parts = await eventually(() => {
      const found = ofDispatch(id);
      return found.length >= PARTS.length && found;
    }, EXPORTED);
    const request = await eventually(
      () => collector.spans.find(({ spanId }) => spanId === parts[0]?.parentSpanId),
      EXPORTED,
    );
    const part = (name: string) => parts.find((span) => span.name === `dispatch.${name}`)!;
    return { parts, part, request };
  };

  it('is one, through both replicas and the broker, under the span of its caller', async () => {
    const id = await ping({ traceparent: `00-${TRACE}-${CALLER}-01` });

    const { parts, part, request } = await traceOf(id);

    expect(parts.map(({ name }) => name).sort()).toEqual(PARTS);
    expect(new Set([...parts, request].map(({ traceId }) => traceId))).toEqual(new Set([TRACE]));
    expect(request).toMatchObject({
      name: 'POST /api/v1/brokers/:broker/dispatches',
      kind: SERVER,
      parentSpanId: CALLER,
      service: 'fairlead-hub',
      attributes: { 'http.request.method': 'POST', 'http.response.status_code': 200 },
    });
    expect(new Set(parts.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([request.spanId]));
    expect(part('execute')).toMatchObject({
      service: 'broker-of-mine',
      attributes: { 'fairlead.dispatch.op': 'broker.ping', 'fairlead.dispatch.outcome': 'succeeded' },
    });
    const replicaOf = (name: string) => part(name).attributes['fairlead.replica.id'];
    expect(replicaOf('accept')).toBe(cluster.hub(0).replicaId);
    for (const name of ['claim', 'send', 'run', 'settle'])
      expect(replicaOf(name)).toBe(cluster.hub(1).replicaId);
    expect(part('settle').attributes).toMatchObject({
      'fairlead.dispatch.op': 'broker.ping',
      'fairlead.dispatch.lane': 'normal',
      'fairlead.dispatch.outcome': 'succeeded',
    });
  });

  it('has its parts one after another, each within its time', async () => {
    const { part, parts, request } = await traceOf(await ping());

    for (const { startMs, endMs } of parts) {
      expect(startMs).toBeGreaterThanOrEqual(request.startMs - 1);
      expect(endMs).toBeGreaterThanOrEqual(startMs);
    }
    const way = ['accept', 'claim', 'send', 'run', 'settle'].map((name) => part(name).startMs);
    expect(way).toEqual([...way].sort((a, b) => a - b));
  });

  it('begins with the request where the caller has none', async () => {
    const first = await traceOf(await ping());
    const second = await traceOf(await ping({ traceparent: `ff-${TRACE}-${CALLER}-01` }));

    for (const { request } of [first, second]) expect(request.parentSpanId ?? '').toBe('');
    expect(new Set([first, second].map(({ request }) => request.traceId)).size).toBe(2);
  });

  it('is not exported where its caller left it out of the sample', async () => {
    const left = await ping({ traceparent: `00-${TRACE}-${CALLER}-00` });

    await traceOf(await ping());

    expect(ofDispatch(left)).toEqual([]);
  });

  it('goes on in the agent that a command starts, and never tells what that was given', async () => {
    const told = join(broker.home, 'traceparent');
    const { body: agent } = await cluster.api(0).post('/api/v1/agents', {
      name: 'traced',
      broker: broker.name,
      spec: {
        command: 'sh',
        args: ['-c', `printf %s "$TRACEPARENT" > ${told}.tmp && mv ${told}.tmp ${told} # ${SECRET}`],
        environment: { API_TOKEN: SECRET },
      },
    });

    const { body } = await cluster
      .api(0)
      .post(`/api/v1/agents/${agent.id}/start?note=${SECRET}`, {}, { prefer: 'wait=10' });

    const { part } = await traceOf(body.dispatch.id);
    await eventually(() => existsSync(told), EXPORTED);
    const { traceId, spanId } = part('execute');
    expect(readFileSync(told, 'utf8')).toBe(`00-${traceId}-${spanId}-01`);
    const exported = Buffer.concat(collector.bodies.map((each) => each.body)).toString();
    expect(exported).not.toContain(SECRET);
    expect(exported).not.toContain(cluster.administratorToken);
  });

  it('does not exist where a replica was told nothing: it makes no span, and loads no SDK', async () => {
    const loadedBy = async (replica: number): Promise<string[]> => {
      cluster.hub(replica).signal('SIGUSR2');
      const { loaded } = await cluster.hub(replica).line(({ msg }) => msg === 'loaded modules');
      return (loaded as string[]).filter((path) => !path.includes('@opentelemetry/api/'));
    };
    const id = await ping({}, 2);

    // The broker's own span is there: what the replicas made of it would be as well.
    await eventually(() => ofDispatch(id).some(({ name }) => name === 'dispatch.execute'), EXPORTED);
    await traceOf(await ping());

    expect(ofDispatch(id).map(({ name }) => name)).toEqual(['dispatch.execute']);
    expect(await loadedBy(2)).toEqual([]);
    expect(await loadedBy(0)).not.toEqual([]);
  });

  it('is exported to its end by a replica that stops, in the protocol that OpenTelemetry takes by itself', async () => {
    const { OTEL_EXPORTER_OTLP_PROTOCOL: _json, ...rest } = tracing;
    const hub = await cluster.addReplica({ ...rest, OTEL_BSP_SCHEDULE_DELAY: '600000' });
    const trace = TRACE.split('').reverse().join('');
    await ping({ traceparent: `00-${trace}-${CALLER}-01` }, cluster.hubs.indexOf(hub));

    expect(await hub.stop()).toBe(0);

    const sent = collector.bodies.filter(({ type }) => type === 'application/x-protobuf');
    expect(sent.some(({ body }) => body.includes(Buffer.from(trace, 'hex')))).toBe(true);
  });

  it('takes no line of a log along: an endpoint for everything is no word on that', () => {
    expect(new Set(collector.bodies.map(({ path }) => path))).toEqual(new Set(['/v1/traces']));
  });

  it('costs no command where the collector is away: spans are lost, counted, and told once', async () => {
    await collector.stop();
    const lostBy = async (replica: number) => {
      const { body } = await cluster.api(replica).get('/metrics');
      return Number(/^fairlead_spans_lost_total (\d+)$/m.exec(body as string)?.[1]);
    };

    await ping();
    const before = await eventually(async () => (await lostBy(0)) || undefined, EXPORTED);
    await ping();
    await eventually(async () => (await lostBy(0)) > before, EXPORTED);

    const told = cluster.hub(0).lines.filter(({ msg }) => msg?.startsWith('spans could not be exported'));
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ reason: 'ECONNREFUSED' });
    expect(JSON.stringify(told)).not.toContain('127.0.0.1');
    expect(await cluster.hub(0).stop()).toBe(0);
  });
});
