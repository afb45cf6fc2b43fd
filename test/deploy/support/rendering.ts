import { helm, read, type HelmRun, type Manifest } from '../../../scripts/chart/helm.js';
import { SETS } from '../../../scripts/chart/sets.js';

const known = new Map<string, HelmRun>();
const objects = new Map<string, Manifest[]>();

/** The chart with these values, rendered once. `--set` and the like stand behind the values that they change. */
export function rendering(...values: string[]): HelmRun {
  const key = values.join('\0');
  const found =
    known.get(key) ?? helm('template', 'release', 'helm/fairlead', '--namespace', 'fleet', ...values);
  known.set(key, found);
  return found;
}

/** @throws Error with what Helm said where it refuses them */
export function manifestsOf(...values: string[]): Manifest[] {
  const { succeeded, out, err } = rendering(...values);
  if (!succeeded) throw new Error(err);
  const manifests = objects.get(out) ?? read(out);
  objects.set(out, manifests);
  return manifests;
}

export function setOf(name: string): string[] {
  const values = SETS[name];
  if (values === undefined) throw new Error(`there are no values ${name}`);
  return values;
}

/** The object of a kind, or with a slash of a kind and a name. */
export function objectOf(manifests: readonly Manifest[], which: string): Manifest | undefined {
  const [kind, name] = which.split('/');
  return manifests.find((each) => each.kind === kind && (name === undefined || each.metadata.name === name));
}

/** What stands at a path with dots between, where digits are places in a list; undefined where nothing does. */
export function at(from: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((found, name) => (found as Record<string, unknown> | null | undefined)?.[name], from);
}
