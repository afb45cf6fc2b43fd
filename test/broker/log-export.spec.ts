import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { BrokerProcess } from '../support/broker-process.js';
import { Cluster } from '../support/cluster.js';
import { Collector, type ExportedRecord } from '../support/collector.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const SECRET = 'Qx7-planted-where-secrets-travel';
/** Records leave by the clock, and a busy machine takes its time. */
const EXPORTED = { withinMs: 20_000, everyMs: 50 };

/**
 * Replica 0 exports traces and its log, and so does the broker. Replica 1 exports its log alone, in the protocol that
 * OpenTelemetry takes by itself, and not before it stops.
 */
describe('the exported log', () => {
  let collector: Collector;
  let cluster: Cluster;
  let broker: BrokerProcess;

  beforeAll(async () => {
    [collector, cluster] = await Promise.all([Collector.start(), Cluster.start(0)]);
    const both = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_TIMEOUT: '6000',
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_LOGS_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: '6000',
      OTEL_BLRP_SCHEDULE_DELAY: '50',
    };
    await cluster.addReplica(both);
    const another = cluster.addReplica({
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${collector.url}/v1/logs`,
      OTEL_BLRP_SCHEDULE_DELAY: '600000',
      FAIRLEAD_REPLICA_NAME: 'logs-alone',
    });
    broker = await BrokerProcess.join(cluster.api(0), cluster.hub(0).url, 'logged');
    await another;
    await broker.start(cluster.api(0), { ...both, OTEL_SERVICE_NAME: 'broker-of-mine' });
  });

  afterAll(async () => {
    await broker?.remove();
    await cluster?.stop();
    await collector?.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  const recordOf = (matches: (record: ExportedRecord) => boolean): Promise<ExportedRecord> =>
    eventually(() => collector.records.find(matches), EXPORTED);
  const spanOf = (requestId: string) =>
    eventually(
      () => collector.spans.find(({ attributes }) => attributes['fairlead.request.id'] === requestId),
      EXPORTED,
    );

  /** The body goes out once the replica has taken the head of the request, and is read in what is of the socket. */
  const postLate = async (path: string, body: object, headers: Record<string, string>) => {
    const asked = request(`${cluster.hub(0).url}${path}`, {
      method: 'POST',
      headers: {
        ...headers,
        authorization: `Bearer ${cluster.administratorToken}`,
        'content-type': 'application/json',
        expect: '100-continue',
      },
    });
    asked.once('continue', () => asked.end(JSON.stringify(body)));
    asked.flushHeaders();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  };

  it('has the fields of the line, its time and its severity, and the span of the request', async () => {
    await cluster.api(0).get(`/api/v1/agents/nobody?note=${SECRET}`, {
      'x-request-id': 'asked-for-nobody',
      traceparent: `00-${TRACE}-${CALLER}-01`,
    });

    const record = await recordOf(({ attributes }) => attributes.requestId === 'asked-for-nobody');

    const line = await cluster.hub(0).line(({ requestId }) => requestId === 'asked-for-nobody');
    const { level, time, msg, ...fields } = line;
    expect({ level, msg }).toEqual({ level: 30, msg: 'answered' });
    expect(Object.keys(record.attributes).sort()).toEqual(Object.keys(fields).sort());
    expect(record).toMatchObject({
      timeMs: time,
      severity: { number: 9, text: 'info' },
      body: 'answered',
      attributes: { method: 'GET', path: '/api/v1/agents/nobody', context: 'http' },
      resource: { 'service.name': 'fairlead-hub', 'fairlead.replica.name': fields.replica },
    });
    expect(Number(record.attributes.status)).toBe(404);
    const span = await spanOf('asked-for-nobody');
    expect(record).toMatchObject({ traceId: TRACE, spanId: span.spanId });
    expect(span.parentSpanId).toBe(CALLER);
  });

  it('tells of an error what the log tells, in the span of the request that failed, and nothing that a row held', async () => {
    const sql = new pg.Client(cluster.database.url);
    await sql.connect();
    await sql.query(`alter table agent add constraint it_fails check (name <> 'fails') not valid`);
    await sql.end();

    const order = { name: 'fails', broker: broker.name, spec: { command: 'cat', args: [SECRET] } };
    const status = await postLate('/api/v1/agents', order, {
      'x-request-id': 'it-fails',
      traceparent: `00-${TRACE}-${CALLER}-01`,
    });

    expect(status).toBe(500);
    const record = await recordOf(({ body }) => body === 'a request failed');
    expect(record).toMatchObject({
      severity: { number: 17, text: 'error' },
      attributes: { requestId: 'it-fails', 'err.code': '23514', 'err.constraint': 'it_fails' },
      traceId: TRACE,
      spanId: (await spanOf('it-fails')).spanId,
    });
    expect(record.attributes['exception.message']).toContain('it_fails');
    expect(record.attributes['exception.stacktrace']).toContain(' at ');
    const exported = Buffer.concat(collector.bodies.map((each) => each.body)).toString();
    expect(exported).not.toContain(SECRET);
    expect(exported).not.toContain(cluster.administratorToken);
  });

  it('has the lines of a broker under its own name', async () => {
    const record = await recordOf(({ body }) => body === 'linked to the hub');

    expect(record.resource).toMatchObject({ 'service.name': 'broker-of-mine' });
    expect(record.resource['fairlead.broker.id']).toEqual(expect.any(String));
  });

  it('leaves the standard output as it was, without the ids of a trace', async () => {
    const line = await cluster.hub(0).line(({ requestId }) => requestId === 'asked-for-nobody');

    expect(Object.keys(line).sort()).toEqual(
      ['context', 'level', 'method', 'ms', 'msg', 'path', 'replica', 'requestId', 'status', 'time'].sort(),
    );
  });

  it('goes out to its end with a replica that stops, and belongs to no trace where none is made', async () => {
    await cluster.api(1).get('/api/v1/agents/nobody', { 'x-request-id': 'of-logs-alone' });

    expect(await cluster.hub(1).stop()).toBe(0);

    const sent = collector.bodies.filter(({ type }) => type === 'application/x-protobuf');
    expect(new Set(sent.map(({ path }) => path))).toEqual(new Set(['/v1/logs']));
    const exported = Buffer.concat(sent.map(({ body }) => body)).toString('latin1');
    for (const told of ['logs-alone', 'the hub is ready', 'of-logs-alone', 'public listener'])
      expect(exported).toContain(told);
  });

  it('costs nothing where the collector is away: records are lost, counted, and told once', async () => {
    await collector.stop();
    const lost = async () => {
      const { body } = await cluster.api(0).get('/metrics');
      return Number(/^fairlead_log_records_lost_total (\d+)$/m.exec(body as string)?.[1]);
    };
    const ask = async () => {
      const order = { op: 'broker.ping', orderingKey: null };
      const path = `/api/v1/brokers/${broker.name}/dispatches`;
      const { body } = await cluster.api(0).post(path, order, { prefer: 'wait=10' });
      expect(body.dispatch.state).toBe('succeeded');
      await cluster.api(0).get('/api/v1/agents/nobody');
    };

    await ask();
    const before = await eventually(async () => (await lost()) || undefined, EXPORTED);
    await ask();
    await eventually(async () => (await lost()) > before, EXPORTED);

    const told = cluster.hub(0).lines.filter(({ msg }) => msg?.startsWith('lines of the log could not be'));
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ reason: 'ECONNREFUSED', context: 'tracing' });
    expect(JSON.stringify(told)).not.toContain('127.0.0.1');
    expect(await cluster.hub(0).stop()).toBe(0);
  });
});
