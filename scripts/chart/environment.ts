import { ConfigError } from '../../src/hub/config/config.error.js';
import { readConfig, type HubConfig } from '../../src/hub/config/hub-config.js';
import type { Manifest } from './helm.js';

type Texts = Record<string, string>;
type KeyRef = { name: string; key: string; optional?: boolean };
type Variable = {
  name: string;
  value?: string;
  valueFrom?: { secretKeyRef?: KeyRef; fieldRef?: { fieldPath: string } };
};
export type Container = {
  image: string;
  command: string[];
  env: Variable[];
  envFrom: { configMapRef: { name: string } }[];
  lifecycle: { preStop: { exec: { command: string[] } } };
};
export type Pod = { terminationGracePeriodSeconds: number; containers: [Container] };

export function podOf(manifests: readonly Manifest[]): Pod {
  const deployment = manifests.find(({ kind }) => kind === 'Deployment');
  if (deployment === undefined) throw new Error('the chart renders no Deployment');
  return (deployment.spec as { template: { spec: Pod } }).template.spec;
}

export function jobOf(manifests: readonly Manifest[]): Pod | undefined {
  const job = manifests.find(({ kind }) => kind === 'CronJob');
  return (job?.spec as { jobTemplate: { spec: { template: { spec: Pod } } } } | undefined)?.jobTemplate.spec
    .template.spec;
}

/** The environment that a container of the hub would find, put together as the kubelet does. */
export function environmentOf(
  manifests: readonly Manifest[],
  outsiders: Record<string, Texts>,
  pod: Pod = podOf(manifests),
): Texts {
  const [container] = pod.containers;
  const environment: Texts = {};
  for (const { configMapRef } of container.envFrom) {
    Object.assign(environment, held(manifests, 'ConfigMap', configMapRef.name));
  }
  for (const { name, valueFrom } of container.env) {
    const { secretKeyRef, fieldRef } = valueFrom ?? {};
    if (fieldRef !== undefined) environment[name] = 'release-fairlead-7c9f';
    if (secretKeyRef === undefined) continue;
    const secret = outsiders[secretKeyRef.name] ?? held(manifests, 'Secret', secretKeyRef.name);
    const value = secret[secretKeyRef.key];
    if (value !== undefined) environment[name] = value;
    else if (secretKeyRef.optional !== true) throw new Error(`no secret holds ${name}`);
  }
  return environment;
}

function held(manifests: readonly Manifest[], kind: string, name: string): Texts {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined) throw new Error(`the chart renders no ${kind} ${name}`);
  return (found.data ?? found.stringData ?? {}) as Texts;
}

/** What the hub makes of the environment, or the rules that it breaks. */
export function judged(environment: Texts): HubConfig | string[] {
  try {
    return readConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.report();
    throw error;
  }
}
