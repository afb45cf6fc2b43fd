/**
 * Proves the chart with a real Helm: it is well formed, renders with each set of values, and gives the pods an
 * environment that the hub takes and a grace that its drain fits in. What each value does, and what is refused, is tried
 * by `npm run test:deploy`.
 *
 *     node dist/scripts/chart.js    exit code 1 where something is wrong, and where Helm cannot be had
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentOf, judged, podsOf } from './chart/environment.js';
import { CHART, helm, read, render, type Manifest } from './chart/helm.js';
import { OUTSIDERS, SETS } from './chart/sets.js';

function faultsWith(values: string[]): string[] {
  const lint = helm('lint', '--strict', CHART, ...values);
  if (!lint.succeeded) return [`lint: ${lint.out}${lint.err}`];
  const rendered = render(...values);
  if (!rendered.succeeded) return [rendered.err];
  return environmentFaults(read(rendered.out));
}

/** Every container that runs `fairlead` must be told what it takes, and the drain of a replica must fit in its grace. */
function environmentFaults(manifests: Manifest[]): string[] {
  return podsOf(manifests).flatMap(({ name, pod }) =>
    [...(pod.initContainers ?? []), ...pod.containers].flatMap((container) => {
      if (container.command[0] !== 'fairlead') return [];
      const config = judged(environmentOf(manifests, OUTSIDERS, container), container.command);
      const at = `${name}: ${container.name}`;
      if (Array.isArray(config))
        return config.map((rule) => `${at}: the hub refuses its environment: ${rule}`);
      if (container.name !== 'hub') return [];
      const graceS = pod.terminationGracePeriodSeconds ?? 30;
      return graceS * 1_000 < config.drain.deadlineMs + 15_000
        ? [`${at}: the drain does not fit in the grace`]
        : [];
    }),
  );
}

/** The chart's version of the application is that of the package. */
function versionFaults(): string[] {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const chart = readFileSync(join(CHART, 'Chart.yaml'), 'utf8');
  return chart.includes(`\nappVersion: ${version}\n`)
    ? []
    : [`Chart.yaml has another appVersion than ${version}`];
}

const available = helm('version', '--short');
const faults = available.succeeded
  ? [
      ...Object.entries(SETS).flatMap(([name, values]) =>
        faultsWith(values).map((fault) => `${name}: ${fault}`),
      ),
      ...versionFaults(),
    ]
  : [`there is no Helm: ${available.err}`];
for (const fault of faults) process.stderr.write(`${fault}\n`);
if (faults.length > 0) process.exitCode = 1;
