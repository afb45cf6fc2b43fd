import type { Catalogue, Described } from './catalogue.js';
import type { Exported } from './exposition.js';

/** One line for each difference between what a hub exports and what the catalogue says that it does. */
export function faultsBetween(
  { own, ofNode }: Catalogue,
  exported: ReadonlyMap<string, Exported>,
  platform: NodeJS.Platform = process.platform,
): string[] {
  const known = { ...own, ...ofNode };
  const unknown = [...exported.keys()].filter((name) => !Object.hasOwn(known, name));
  return [
    ...unknown.map((name) => `${name} is exported, and the catalogue does not know it`),
    ...Object.entries(known).flatMap(([name, described]) => {
      const metric = exported.get(name);
      if (metric !== undefined) return faultsOf(name, described, metric, Object.hasOwn(own, name));
      const isElsewhere = described.isOfLinux === true && platform !== 'linux';
      return isElsewhere ? [] : [`${name} is in the catalogue, and not exported`];
    }),
  ];
}

function faultsOf(name: string, described: Described, metric: Exported, isOwn: boolean): string[] {
  const faults: string[] = [];
  if (metric.type !== described.type) {
    faults.push(`${name} is a ${metric.type}; the catalogue says ${described.type}`);
  }
  const wanted = Object.keys(described.labels ?? {}).sort();
  const sets = new Set(metric.samples.map((labels) => Object.keys(labels).sort().join(', ')));
  for (const set of sets) {
    if (set !== wanted.join(', ')) {
      faults.push(`${name} has the labels (${set}); the catalogue says (${wanted.join(', ')})`);
    }
  }
  // Node's metrics may have nothing to tell yet; one of ours that has not is not proven to be what the catalogue says.
  if (isOwn && metric.samples.length === 0) faults.push(`${name} was exported without a value`);
  for (const [label, values] of Object.entries(described.labels ?? {})) {
    if (typeof values === 'string') continue;
    const found = new Set(metric.samples.flatMap((labels) => labels[label] ?? []));
    const strange = [...found].filter((value) => !values.includes(value));
    if (strange.length > 0) faults.push(`${name} has ${label} ${strange.join(', ')}, beyond its bounds`);
  }
  return faults;
}
