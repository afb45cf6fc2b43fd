/**
 * Proves the chart with a real Helm: it is well formed, renders with each of the values in its folder ci, refuses
 * what cannot work, and gives the pods an environment that the hub takes and a grace that its drain fits in.
 *
 *     node dist/scripts/chart.js    exit code 1 where something is wrong, and where Helm cannot be had
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentOf, jobOf, judged, podOf } from './chart/environment.js';
import { guardFaults } from './chart/guards.js';
import { CHART, helm, read, render, type Manifest } from './chart/helm.js';

const VALUES = join(CHART, 'ci');
const KINDS = ['ConfigMap', 'Deployment', 'Service', 'Service', 'ServiceAccount'];

/** Secrets that the values speak of and the chart does not make. */
const OUTSIDERS = {
  'fairlead-secrets': {
    DATABASE_URL: 'postgres://fairlead:example@database.example.com:5432/fairlead',
    FAIRLEAD_SEAL_KEYS: '7d1c0e5b9f2a4836c1d7e0f3a5928b4c6e8f1a3d5b7c9e0f2a4c6d8e1b3f5a79',
    FAIRLEAD_CLUSTER_SECRET: '3b5a79d1c7e0f3a5928b4c6e8f1a3d5b7c9e0f2a4c6d8e1b7d1c0e5b9f2a4836',
  },
};

function faultsWith(file: string): string[] {
  const values = ['--values', join(VALUES, file)];
  const lint = helm('lint', '--strict', CHART, ...values);
  if (!lint.succeeded) return [`lint: ${lint.out}${lint.err}`];
  const rendered = render(...values);
  if (!rendered.succeeded) return [rendered.err];
  const manifests = read(rendered.out);
  const wanted = file.startsWith('existing-secret') ? ['CronJob', ...KINDS].sort() : KINDS;
  return [...shapeFaults(manifests, wanted), ...environmentFaults(manifests), ...jobFaults(manifests)];
}

function shapeFaults(manifests: Manifest[], wanted: readonly string[]): string[] {
  const kinds = manifests
    .map(({ kind }) => kind)
    .filter((kind) => kind !== 'Secret')
    .sort();
  return kinds.join() === wanted.join()
    ? []
    : [`renders ${kinds.join(', ')} in place of ${wanted.join(', ')}`];
}

function environmentFaults(manifests: Manifest[]): string[] {
  const config = judged(environmentOf(manifests, OUTSIDERS));
  if (Array.isArray(config)) return config.map((rule) => `the hub refuses its environment: ${rule}`);
  const faults: string[] = [];
  const { terminationGracePeriodSeconds: graceS, containers } = podOf(manifests);
  if (graceS * 1000 < config.drain.deadlineMs + 15_000) faults.push('the drain does not fit in the grace');
  if (config.listen.port !== 8080 || config.internalListen.port !== 8091) faults.push('the ports differ');
  const preStop = containers[0].lifecycle.preStop.exec.command.join(' ');
  if (preStop !== 'fairlead hub drain --local') faults.push(`the pod stops with ${preStop}`);
  return faults;
}

/** The history is forgotten by the replicas or by the job, which is given the same environment as they. */
function jobFaults(manifests: Manifest[]): string[] {
  const job = jobOf(manifests);
  const environment = environmentOf(manifests, OUTSIDERS);
  const isDuty = environment.FAIRLEAD_RETENTION === 'on';
  if (job === undefined) return isDuty ? [] : ['nobody forgets the history'];
  const { DATABASE_URL, FAIRLEAD_HISTORY_DAYS } = environmentOf(manifests, OUTSIDERS, job);
  const isSame = DATABASE_URL === environment.DATABASE_URL && FAIRLEAD_HISTORY_DAYS === '90';
  const [container] = job.containers;
  return [
    ...(isDuty ? ['the history is forgotten by the replicas and by a job'] : []),
    ...(isSame ? [] : ['the job has another environment than the replicas']),
    ...(container.command.join(' ') === 'fairlead hub retention' ? [] : ['the job runs another command']),
    ...(container.image === podOf(manifests).containers[0].image ? [] : ['the job has another image']),
  ];
}

/** The chart's version of the application is that of the package. */
function versionFaults(): string[] {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const chart = readFileSync(join(CHART, 'Chart.yaml'), 'utf8');
  return chart.includes(`\nappVersion: ${version}\n`)
    ? []
    : [`Chart.yaml has another appVersion than ${version}`];
}

/** A value that no line explains is read by nobody but its author. */
function undocumentedValues(): string[] {
  const lines = readFileSync(join(CHART, 'values.yaml'), 'utf8').split('\n');
  return lines.flatMap((line, index) => {
    const [, indent, name] = /^( {0,2})(\w+):/.exec(line) ?? [];
    const isGroup = /:$/.test(line) || /^ {2}(requests|limits):/.test(line);
    if (name === undefined || indent === undefined || isGroup) return [];
    return lines[index - 1]?.startsWith(`${indent}#`) === true
      ? []
      : [`values.yaml does not explain ${name}`];
  });
}

const available = helm('version', '--short');
const faults = available.succeeded
  ? [
      ...readdirSync(VALUES).flatMap((file) => faultsWith(file).map((fault) => `${file}: ${fault}`)),
      ...guardFaults(),
      ...versionFaults(),
      ...undocumentedValues(),
    ]
  : [`there is no Helm: ${available.err}`];
for (const fault of faults) process.stderr.write(`${fault}\n`);
if (faults.length > 0) process.exitCode = 1;
