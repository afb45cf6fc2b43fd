import type { Catalogue, Described } from './catalogue.js';
import { faultsBetween } from './comparison.js';
import { readExposition, type Exported } from './exposition.js';

const INTRODUCTION = `# Metrics

Each replica exports what it measures in the text format of Prometheus: at \`/metrics\` of its internal listener without
a credential, and at \`/metrics\` of the public one for people. Sums over all replicas are the hub's, except where the
meaning says that a metric tells of the whole hub: every replica tells that alike. Labels have few values, and never an
id: what is told of one broker or one command is in the API. Times of commands are the database's, but for those from a
claim to its ack and from an ack to the end, which one process sees at both ends; many commands end without an ack. The op
\`other\` stands for all ops of brokers' own, and for those of a newer release.

A scraper that asks for OpenMetrics (\`Accept: application/openmetrics-text; version=1.0.0\`) gets the same in that format, and in
it exemplars: where tracing is on, buckets of the histograms that say so name the trace of the latest value in each
([tracing.md](tracing.md#from-a-metric-to-its-trace)). All others get plain text, in which there are none.

This page is made from the catalogue of the code by \`npm run metrics:write\`, and compared with what a hub exports.
`;

/** The catalogue and what a hub exports are not the same. */
export class MetricsDiffer extends Error {
  constructor(readonly faults: readonly string[]) {
    super(faults.join('\n'));
    this.name = 'MetricsDiffer';
  }
}

/**
 * docs/metrics.md
 *
 * @param exposition what a running hub exports
 * @throws MetricsDiffer where that is not what the catalogue says
 */
export function metricsPage(catalogue: Catalogue, exposition: string): string {
  const exported = readExposition(exposition);
  const faults = faultsBetween(catalogue, exported);
  if (faults.length > 0) throw new MetricsDiffer(faults);
  return [
    INTRODUCTION,
    '## Of the hub\n',
    table(catalogue.own, exported),
    '\n## Of the process\n',
    `${table(catalogue.ofNode, exported)}\n`,
  ].join('\n');
}

function table(
  metrics: Readonly<Record<string, Described>>,
  exported: ReadonlyMap<string, Exported>,
): string {
  const rows = Object.entries(metrics).map(
    ([name, { type, unit, labels = {}, meaning, isOfLinux, hasExemplars }]) => [
      `\`${name}\`${isOfLinux === true ? ' (Linux alone)' : ''}`,
      hasExemplars === true ? `${type}, exemplars` : type,
      Object.entries(labels).map(labelCell).join('; ') || 'none',
      unit,
      meaning ?? exported.get(name)?.help ?? '',
    ],
  );
  const head = ['metric', 'type', 'labels', 'unit', 'meaning'];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function labelCell([label, values]: [string, readonly string[] | string]): string {
  const bounds = typeof values === 'string' ? values : values.map((value) => `\`${value}\``).join(', ');
  return `\`${label}\`: ${bounds}`;
}
