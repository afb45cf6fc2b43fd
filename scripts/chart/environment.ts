import { ConfigError } from '../../src/hub/config/config.error.js';
import { readConfig, type HubConfig } from '../../src/hub/config/hub-config.js';
import type { Manifest } from './helm.js';

type Texts = Record<string, string>;
type KeyRef = { name: string; key: string; optional?: boolean };
type Variable = {
  name: string;
  value?: string;
  valueFrom?: { secretKeyRef?: KeyRef; fieldRef?: { fieldPath: keyof typeof FIELDS } };
};
type Container = {
  name: string;
  image: string;
  command: string[];
  env?: Variable[];
  envFrom?: { configMapRef: { name: string } }[];
  volumeMounts?: { name: string; mountPath: string }[];
  lifecycle?: { preStop: { exec: { command: string[] } } };
  securityContext: Record<string, unknown>;
  [member: string]: unknown;
};
export type Pod = {
  containers: [Container, ...Container[]];
  initContainers?: Container[];
  terminationGracePeriodSeconds?: number;
  serviceAccountName?: string;
  automountServiceAccountToken: boolean;
  securityContext: Record<string, unknown>;
  volumes?: {
    name: string;
    secret?: { secretName: string; items?: { key: string; path: string }[] };
  }[];
  [member: string]: unknown;
};
type Template = { metadata: { labels: Texts; annotations?: Texts }; spec: Pod };

/** What a pod is told of itself, as on a cluster whose pods have addresses of IPv6. */
const FIELDS = { 'metadata.name': 'release-fairlead-7c9f', 'status.podIP': 'fd00:10:244::7' };

/** Every pod that the chart would lead to, whatever makes it. */
export function podsOf(manifests: readonly Manifest[]): { name: string; labels: Texts; pod: Pod }[] {
  return manifests.flatMap((manifest) => {
    const template = templateOf(manifest);
    if (template === undefined) return [];
    const { metadata, spec } = template;
    return [{ name: `${manifest.kind} ${manifest.metadata.name}`, labels: metadata.labels, pod: spec }];
  });
}

function templateOf(manifest: Manifest): Template | undefined {
  switch (manifest.kind) {
    case 'Pod':
      return manifest as unknown as Template;
    case 'Deployment':
    case 'Job':
      return (manifest.spec as { template: Template }).template;
    case 'CronJob':
      return (manifest.spec as { jobTemplate: { spec: { template: Template } } }).jobTemplate.spec.template;
    default:
      return undefined;
  }
}

/**
 * The environment that a container of the hub would find, put together as the kubelet does, with what is in the files of secrets
 * in the place of their names.
 */
export function environmentOf(
  manifests: readonly Manifest[],
  outsiders: Record<string, Texts>,
  container: Container,
): Texts {
  const environment: Texts = {};
  for (const { configMapRef } of container.envFrom ?? []) {
    Object.assign(environment, held(manifests, 'ConfigMap', configMapRef.name));
  }
  for (const { name, value, valueFrom } of container.env ?? []) {
    const { secretKeyRef, fieldRef } = valueFrom ?? {};
    if (value !== undefined) {
      const mounted = contentOf(manifests, outsiders, container, value);
      const isContent = mounted !== undefined && name.endsWith('_FILE');
      environment[isContent ? name.replace(/_FILE$/, '') : name] = isContent ? mounted : value;
    }
    if (fieldRef !== undefined) environment[name] = FIELDS[fieldRef.fieldPath];
    if (secretKeyRef === undefined) continue;
    const secret = outsiders[secretKeyRef.name] ?? held(manifests, 'Secret', secretKeyRef.name);
    const found = secret[secretKeyRef.key];
    if (found !== undefined) environment[name] = found;
    else if (secretKeyRef.optional !== true) throw new Error(`no secret holds ${name}`);
  }
  return environment;
}

/** What the file of a secret holds that is mounted there. */
function contentOf(
  manifests: readonly Manifest[],
  outsiders: Record<string, Texts>,
  { volumeMounts = [] }: Container,
  path: string,
): string | undefined {
  const mount = volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
  const volumes = podsOf(manifests).flatMap(({ pod }) => pod.volumes ?? []);
  const { secret } = volumes.find(({ name }) => name === mount?.name) ?? {};
  if (mount === undefined || secret === undefined) return undefined;
  const file = path.slice(mount.mountPath.length + 1);
  const { key } = secret.items?.find((item) => item.path === file) ?? { key: file };
  const held = outsiders[secret.secretName]?.[key];
  if (held === undefined) throw new Error(`no secret holds ${path}`);
  return held;
}

function held(manifests: readonly Manifest[], kind: string, name: string): Texts {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined) throw new Error(`the chart renders no ${kind} ${name}`);
  return (found.data ?? found.stringData ?? {}) as Texts;
}

/** Commands that need no more than the way to the database: `fairlead hub <command>`. */
const JOBS = ['migrate', 'retention'];

/** What the hub makes of the environment, or the rules that it breaks. */
export function judged(environment: Texts, command: readonly string[] = []): HubConfig | string[] {
  try {
    return readConfig(environment, JOBS.includes(command[2] ?? '') ? 'job' : 'replica');
  } catch (error) {
    if (error instanceof ConfigError) return error.report();
    throw error;
  }
}
