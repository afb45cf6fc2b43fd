import type { Histogram, Registry } from 'prom-client';
import type { Distribution } from './distribution.js';

export type Labelled = { labels: Readonly<Record<string, string>>; distribution: Distribution };

/** Exports distributions as one histogram. Only those that have a value are told: each is twenty lines. */
export function exposeDistributions(
  registry: Registry,
  [name, help]: readonly [name: string, help: string],
  read: () => Labelled[],
): void {
  const metric = { name, help, type: 'histogram', aggregator: 'sum' };
  // All that a registry asks of a metric is to be got.
  registry.registerMetric({
    ...metric,
    get: () => Promise.resolve({ ...metric, values: read().flatMap((each) => samplesOf(name, each)) }),
  } as unknown as Histogram);
}

function samplesOf(name: string, { labels, distribution }: Labelled): object[] {
  if (distribution.count === 0) return [];
  const buckets = distribution.cumulative().map(({ bound, count, exemplar }) => ({
    metricName: `${name}_bucket`,
    labels: { ...labels, le: bound === Infinity ? '+Inf' : String(bound) },
    value: count,
    exemplar,
  }));
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: distribution.sum },
    { metricName: `${name}_count`, labels, value: distribution.count },
  ];
}
