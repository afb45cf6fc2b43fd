import { spawnSync } from 'node:child_process';
import { parseAllDocuments } from 'yaml';

export const CHART = 'helm/fairlead';

export type Manifest = { kind: string; metadata: { name: string }; [member: string]: unknown };
export type HelmRun = { succeeded: boolean; out: string; err: string };

/** Runs the Helm that scripts/helm.sh fetches. */
export function helm(...args: string[]): HelmRun {
  const { status, stdout, stderr } = spawnSync('bash', ['scripts/helm.sh', ...args], { encoding: 'utf8' });
  return { succeeded: status === 0, out: stdout, err: stderr };
}

/** Renders the chart with some values. */
export function render(...values: string[]): HelmRun {
  return helm('template', 'release', CHART, ...values);
}

/**
 * The objects of a rendering, read by the rules of YAML 1.1, as Kubernetes does.
 *
 * @throws Error where it is no YAML, or says something twice
 */
export function read(rendered: string): Manifest[] {
  return parseAllDocuments(rendered, { version: '1.1' }).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    const object = document.toJS() as Manifest | null;
    return object === null ? [] : [object];
  });
}
