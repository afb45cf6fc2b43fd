import { describe, expect, it } from '@jest/globals';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { readOpenMetrics } from '../../../test/support/open-metrics.js';
import { Distribution } from './distribution.js';
import { exposeDistributions } from './expose.js';
import { openMetricsOf, wantsOpenMetrics } from './open-metrics.js';

describe('what a scraper asks for', () => {
  const PROMETHEUS_2 =
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';

  it.each([
    [PROMETHEUS_2],
    ['application/openmetrics-text'],
    ['Application/OpenMetrics-Text; Version=1.0.0; charset=utf-8'],
    ['text/plain;q=0.5, application/openmetrics-text; version=1.0.0;q=0.5'],
  ])('is OpenMetrics: %s', (accept) => {
    expect(wantsOpenMetrics(accept)).toBe(true);
  });

  it.each([
    [undefined],
    [''],
    ['*/*'],
    ['text/plain'],
    ['text/html,application/xhtml+xml,*/*;q=0.8'],
    ['application/openmetrics-text;version=0.0.1,text/plain;version=0.0.4;q=0.5'],
    ['application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.5'],
    ['application/openmetrics-text;q=0'],
    ['application/openmetrics-text;q=none'],
  ])('is plain text: %s', (accept) => {
    expect(wantsOpenMetrics(accept)).toBe(false);
  });
});

describe('a registry as OpenMetrics', () => {
  const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
  const made = () => {
    const registry = new Registry();
    const registers = [registry];
    new Counter({ name: 'things_total', help: 'Things.', labelNames: ['kind'], registers }).inc(
      { kind: 'a' },
      3,
    );
    new Gauge({ name: 'room', help: 'Room.', registers }).set(0.5);
    new Histogram({ name: 'batch', help: 'Items.', buckets: [1, 2.5], registers }).observe(2);
    const distribution = new Distribution([0.5, 1]);
    distribution.take(0.7, `00-${TRACE}-00f067aa0ba902b7-01`);
    exposeDistributions(registry, ['took_seconds', 'Time.'], () => [{ labels: { op: 'x' }, distribution }]);
    return registry;
  };

  it('is read by a strict scraper: families, types, units, bounds, the exemplar in its bucket and the end', async () => {
    const { contentType, text } = await openMetricsOf(made());

    const families = readOpenMetrics(text);
    expect(contentType).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect([...families].map(([name, { type, unit }]) => [name, type, unit])).toEqual([
      ['things', 'counter', ''],
      ['room', 'gauge', ''],
      ['batch', 'histogram', ''],
      ['took_seconds', 'histogram', 'seconds'],
    ]);
    expect(families.get('things')?.samples).toMatchObject([
      { name: 'things_total', labels: { kind: 'a' }, value: 3 },
    ]);
    const exemplars = families
      .get('took_seconds')
      ?.samples.map(({ labels, exemplar }) => [labels.le, exemplar]);
    expect(exemplars?.slice(0, 3)).toEqual([
      ['0.5', undefined],
      [
        '1.0',
        {
          labels: { trace_id: TRACE, span_id: '00f067aa0ba902b7' },
          value: 0.7,
          timestampS: expect.any(Number),
        },
      ],
      ['+Inf', undefined],
    ]);
  });

  it('leaves the plain text as it is, before and after', async () => {
    const registry = made();
    const before = await registry.metrics();

    await openMetricsOf(registry);

    expect(await registry.metrics()).toBe(before);
    expect(before).toContain('# TYPE things_total counter\nthings_total{kind="a"} 3\n');
    expect(before).not.toContain(TRACE);
  });
});

describe('the strict scraper of the tests', () => {
  const whole =
    '# TYPE took_seconds histogram\ntook_seconds_bucket{le="1.0"} 1 # {trace_id="a"} 0.5 1\ntook_seconds_bucket{le="+Inf"} 1\ntook_seconds_sum 0.5\ntook_seconds_count 1\n# EOF\n';

  it('takes what is right', () => {
    expect(readOpenMetrics(whole).size).toBe(1);
  });

  it.each<[string, string, string]>([
    ['no end', '# EOF\n', ''],
    ['an empty line', '# EOF', '\n# EOF'],
    ['a bound that is not canonical', 'le="1.0"', 'le="1"'],
    ['an exemplar of another bucket', '} 0.5 1', '} 1.5 1'],
    ['an exemplar on a sum', 'sum 0.5', 'sum 0.5 # {trace_id="a"} 0.5 1'],
    ['a count that does not fit', 'count 1', 'count 2'],
    ['no last bucket', 'took_seconds_bucket{le="+Inf"} 1\n', ''],
    ['a counter whose samples say nothing of a total', 'histogram', 'counter'],
    ['a unit that the name does not have', '# TYPE', '# UNIT took_seconds bytes\n# TYPE'],
    ['a family that comes twice', '# EOF', '# TYPE other gauge\nother 1\n# TYPE took_seconds gauge\n# EOF'],
    ['two families with one name of a sample', '# EOF', '# TYPE took_seconds_sum gauge\n# EOF'],
  ])('takes no %s', (_fault, from, to) => {
    expect(() => readOpenMetrics(whole.replace(from, to))).toThrow();
  });
});
