import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { CATALOGUE } from '../../scripts/metrics/catalogue.js';
import { readExposition } from '../../scripts/metrics/exposition.js';
import { Cluster } from '../support/cluster.js';
import { Collector } from '../support/collector.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { readOpenMetrics, type Exemplar, type Family } from '../support/open-metrics.js';
import { ScriptedBroker, type ScriptedLink } from '../support/scripted-broker.js';

/** As Prometheus sends it. */
const ACCEPT =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,' +
  'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1';
const LEFT_OUT = '4bf92f3577b34da6a3ce929d0e0e4736';
/** Spans leave by the clock, and a busy machine takes its time. */
const EXPORTED = { withinMs: 20_000, everyMs: 50 };
const TRACED = Object.entries(CATALOGUE.own)
  .filter(([, { hasExemplars }]) => hasExemplars === true)
  .map(([name]) => name)
  .sort();

/**
 * Callers are at replica 0, where the test does not say otherwise, and the broker is linked to replica 1; both export their
 * traces. Replica 2 was told nothing of tracing.
 */
describe('what is measured', () => {
  let collector: Collector;
  let cluster: Cluster;
  let broker: ScriptedBroker;

  beforeAll(async () => {
    collector = await Collector.start();
    cluster = await Cluster.start(0);
    const tracing = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      // What could not be exported by then is lost: to a collector that is there it must not happen on a busy machine.
      OTEL_EXPORTER_OTLP_TIMEOUT: '6000',
      OTEL_BSP_SCHEDULE_DELAY: '50',
    };
    await cluster.addReplica(tracing);
    await cluster.addReplica(tracing);
    await cluster.addReplica();
    broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
  }, 120_000);

  afterAll(async () => {
    await cluster?.stop();
    await collector?.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  const scrape = async (replica: number, headers: Record<string, string> = {}) => {
    const response = await fetch(`${cluster.hub(replica).url}/metrics`, {
      headers: { authorization: `Bearer ${cluster.administratorToken}`, ...headers },
    });
    return { type: response.headers.get('content-type'), text: await response.text() };
  };
  const openMetrics = async (replica: number): Promise<Map<string, Family>> => {
    const { type, text } = await scrape(replica, { accept: ACCEPT });
    expect(type).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    return readOpenMetrics(text);
  };
  const exemplarsIn = (families: Map<string, Family>) =>
    [...families].flatMap(([name, { samples }]) =>
      samples.flatMap(({ exemplar }) => (exemplar === undefined ? [] : [{ name, exemplar }])),
    );
  const ping = async (replica: number, link: ScriptedLink, headers: Record<string, string> = {}) => {
    // Without a key it would be claimed as it is stored, and there were no wait for a claim to measure.
    const order = { op: 'broker.ping', orderingKey: randomUUID() };
    const path = `/api/v1/brokers/${broker.id}/dispatches`;
    const asked = cluster.api(replica).post(path, order, { prefer: 'wait=10', ...headers });
    const dispatch = await link.nextDispatch();
    link.ack(dispatch);
    await eventually(async () => (await cluster.api(replica).dispatch(dispatch.id)).state === 'running');
    link.succeed(dispatch);
    expect((await asked).body.dispatch.state).toBe('succeeded');
  };

  it('names traces that were exported, of every time that the catalogue says so of, to who asks for OpenMetrics', async () => {
    const link = await broker.connect(cluster.hub(1).url);
    await ping(0, link, { traceparent: `00-${LEFT_OUT}-00f067aa0ba902b7-00` });
    await ping(0, link);

    const found = await eventually(async () => {
      const exemplars = [0, 1].map(async (replica) => exemplarsIn(await openMetrics(replica)));
      const all = (await Promise.all(exemplars)).flat();
      return new Set(all.map(({ name }) => name)).size === TRACED.length && all;
    }, EXPORTED);

    expect([...new Set(found.map(({ name }) => name))].sort()).toEqual(TRACED);
    const isExported = ({ labels: { trace_id, span_id } }: Exemplar) =>
      collector.spans.some(({ traceId, spanId }) => traceId === trace_id && spanId === span_id);
    await eventually(() => found.every(({ exemplar }) => isExported(exemplar)), EXPORTED);
    expect(JSON.stringify(found)).not.toContain(LEFT_OUT);
    for (const { exemplar } of found)
      expect(Math.abs(exemplar.timestampS - Date.now() / 1_000)).toBeLessThan(60);
  });

  it('names none in plain text, which all others get and which stays as it was', async () => {
    const first = await scrape(1);
    await openMetrics(1);

    const { type, text } = await scrape(1, { accept: 'text/plain;version=0.0.4' });

    expect(type).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(first.type).toBe(type);
    expect(text).not.toMatch(/^[^#].* # /m);
    expect(text).not.toContain('# EOF');
    const named = (of: string) => [...readExposition(of)].map(([name, { type: kind }]) => [name, kind]);
    expect(named(text)).toEqual(named(first.text));
    expect(text).toMatch(/^# TYPE fairlead_dispatches_claimed_total counter$/m);
    expect(text).toMatch(/^fairlead_dispatches_claimed_total\{op="broker.ping",lane="normal"\} [1-9]\d*$/m);
  });

  it('has the same names, types and values in both', async () => {
    const families = await openMetrics(0);
    const { text } = await scrape(0);
    const plain = readExposition(text);

    const nameOf = (name: string, type: string) => (type === 'counter' ? name.replace(/_total$/, '') : name);
    expect([...families].map(([name, { type }]) => [name, type])).toEqual(
      [...plain].map(([name, { type }]) => [nameOf(name, type), type]),
    );
    const told = /^fairlead_dispatches_accepted_total\{op="broker.ping",lane="normal"\} (\d+)$/m.exec(
      text,
    )?.[1];
    const samples = families.get('fairlead_dispatches_accepted')?.samples ?? [];
    expect(
      samples.find(({ labels }) => labels.op === 'broker.ping' && labels.lane === 'normal'),
    ).toMatchObject({
      name: 'fairlead_dispatches_accepted_total',
      value: Number(told),
    });
  });

  it('is told in either way by the internal listener, where Prometheus asks', async () => {
    const sql = new pg.Client(cluster.database.url);
    await sql.connect();
    const { rows } = await sql.query('select internal_url from hub_replica where id = $1', [
      cluster.hub(1).replicaId,
    ]);
    await sql.end();
    const asked = async (accept: string) =>
      (await fetch(`${rows[0].internal_url}/metrics`, { headers: { accept } })).text();

    expect(exemplarsIn(readOpenMetrics(await asked(ACCEPT)))).not.toEqual([]);
    expect(await asked('text/plain')).not.toContain('# EOF');
  });

  it('names none where no traces are exported, though the caller has one', async () => {
    const link = await broker.connect(cluster.hub(2).url);
    await ping(2, link, { traceparent: `00-${LEFT_OUT}-00f067aa0ba902b7-01` });

    const families = await eventually(async () => {
      const found = await openMetrics(2);
      return (found.get('fairlead_dispatch_accept_to_end_seconds')?.samples.length ?? 0) > 0 && found;
    });

    const ended = families.get('fairlead_dispatch_accept_to_end_seconds')?.samples ?? [];
    expect(ended.find(({ name }) => name.endsWith('_count'))?.value).toBe(1);
    expect(exemplarsIn(families)).toEqual([]);
  });

  it('tells how long answers took by method, status and whether they were to wait, and nothing of probes', async () => {
    const before = await scrape(2);
    await cluster.api(2).get('/api/v1/brokers');
    await cluster.api(2).get('/api/v1/brokers', { prefer: 'wait=1' });
    await cluster.api(2).get('/api/v1/brokers/of-nobody');

    const countIn = (text: string, labels: string) =>
      Number(
        new RegExp(`^fairlead_http_request_duration_seconds_count\\{${labels}\\} (\\d+)$`, 'm').exec(
          text,
        )?.[1] ?? 0,
      );
    const grown = async (method: string, status: string, waits: string) => {
      const labels = `method="${method}",status="${status}",waits="${waits}"`;
      return countIn((await scrape(2)).text, labels) - countIn(before.text, labels);
    };
    // An answer is counted once it has left, which its caller may know sooner.
    await eventually(async () => (await grown('GET', '4xx', 'no')) === 1);
    expect(await grown('GET', '2xx', 'no')).toBe(1);
    expect(await grown('GET', '2xx', 'yes')).toBe(1);
  });
});
