import type { Catalogue, Described } from '../metrics/catalogue.js';

/** Labels that Prometheus gives to what it scrapes. */
const OF_TARGETS = ['instance', 'job', 'namespace', 'pod'];
const SUFFIX = /_(bucket|sum|count)$/;

/** One line for each metric or label of a query that no hub exports. It reads names alone: promtool reads the rest. */
export function strangersIn(query: string, catalogue: Catalogue): string[] {
  const known = { ...catalogue.own, ...catalogue.ofNode };
  const faults: string[] = [];
  const labels = new Set(OF_TARGETS);
  const metrics = [...query.matchAll(/\b(fairlead_\w+)(?:\{([^}]*)\})?/g)];
  if (metrics.length === 0) faults.push('it names no metric');
  for (const [, name = '', selector = ''] of metrics) {
    const found = describedBy(known, name);
    if (found === undefined) {
      faults.push(`${name} is in no catalogue`);
      continue;
    }
    const own = [...Object.keys(found.labels ?? {}), ...(name.endsWith('_bucket') ? ['le'] : [])];
    for (const label of own) labels.add(label);
    for (const [, label = '', , value = ''] of selector.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)) {
      if (!own.includes(label) && !OF_TARGETS.includes(label)) faults.push(`${name} has no label ${label}`);
      const values = found.labels?.[label];
      const strange =
        typeof values === 'object' ? value.split('|').filter((each) => !values.includes(each)) : [];
      faults.push(...strange.map((each) => `${name} has no ${label} ${each}`));
    }
  }
  for (const [, list = ''] of query.matchAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g)) {
    const strange = list.split(',').map((label) => label.trim());
    faults.push(
      ...strange.filter((label) => label !== '' && !labels.has(label)).map((label) => `no label ${label}`),
    );
  }
  return faults;
}

function describedBy(known: Readonly<Record<string, Described>>, name: string): Described | undefined {
  if (Object.hasOwn(known, name)) return known[name];
  const base = known[name.replace(SUFFIX, '')];
  return base?.type === 'histogram' && SUFFIX.test(name) ? base : undefined;
}
