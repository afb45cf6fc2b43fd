import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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
 * The objects of a rendering. Helm itself reads them, as the files of a chart made for this that shows them as JSON:
 * so they are read by the rules by which they would be applied.
 *
 * @throws Error where Helm cannot read what it has rendered
 */
export function read(rendered: string): Manifest[] {
  const chart = mkdtempSync(join(tmpdir(), 'fairlead-chart-'));
  try {
    writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: reader\nversion: 0.0.1\n');
    for (const folder of ['templates', 'documents']) mkdirSync(join(chart, folder));
    rendered
      .split(/^---$/m)
      .filter((text) => text.trim() !== '')
      .forEach((text, index) => writeFileSync(join(chart, 'documents', `${index}.yaml`), text));
    writeFileSync(
      join(chart, 'templates', 'all.yaml'),
      'all: [{{ range $path, $_ := .Files.Glob "documents/*" }}{{ $.Files.Get $path | fromYaml | toJson | toJson }},{{ end }}]\n',
    );
    const { succeeded, out, err } = helm('template', 'reader', chart);
    if (!succeeded) throw new Error(err);
    const [, list = ''] = /^all: \[(.*),\]$/m.exec(out) ?? [];
    return (JSON.parse(`[${list}]`) as string[]).map((text) => JSON.parse(text) as Manifest);
  } finally {
    rmSync(chart, { recursive: true, force: true });
  }
}
