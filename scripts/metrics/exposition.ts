export type Exported = {
  type: string;
  help: string;
  /** The labels of each of its samples, without those that its type brings along. */
  samples: Readonly<Record<string, string>>[];
};

const OF_TYPE: Readonly<Record<string, { suffix: RegExp; label: string }>> = {
  histogram: { suffix: /_(bucket|sum|count)$/, label: 'le' },
  summary: { suffix: /_(sum|count)$/, label: 'quantile' },
};

/**
 * The metrics in a text of Prometheus' exposition format, by name.
 *
 * @throws Error for a sample of a metric whose type was not told
 */
export function readExposition(text: string): Map<string, Exported> {
  const found = new Map<string, Exported>();
  const helps = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\w+) (.*)$/.exec(line) ?? [];
    if (kind === 'HELP') helps.set(name, rest);
    else if (kind === 'TYPE') found.set(name, { type: rest, help: helps.get(name) ?? '', samples: [] });
    else if (line !== '' && !line.startsWith('#')) takeSample(found, line);
  }
  return found;
}

function takeSample(found: Map<string, Exported>, line: string): void {
  const [, name = '', labels = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
  const metric = found.get(name) ?? seriesOf(found, name);
  if (metric === undefined) throw new Error(`a sample of an unknown metric: ${line}`);
  const own = OF_TYPE[metric.type]?.label;
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = '', value = '']) => [
    label,
    value,
  ]);
  metric.samples.push(Object.fromEntries(pairs.filter(([label]) => label !== own)) as Record<string, string>);
}

function seriesOf(found: Map<string, Exported>, name: string): Exported | undefined {
  for (const [type, { suffix }] of Object.entries(OF_TYPE)) {
    const metric = found.get(name.replace(suffix, ''));
    if (metric?.type === type) return metric;
  }
  return undefined;
}
