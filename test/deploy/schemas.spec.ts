import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { read, type Manifest } from '../../scripts/chart/helm.js';
import { SETS } from '../../scripts/chart/sets.js';
import { manifestsOf, setOf } from './support/rendering.js';

/** Where the model of each kind is, by its group. */
const MODELS: Record<string, string> = {
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator/',
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api/',
  'postgresql.cnpg.io': '@kubernetes-models/cloudnative-pg/',
};
const EXAMPLE = 'helm/fairlead/examples/cloudnative-pg-cluster.yaml';

type Model = new (manifest: unknown) => { validate(): void };

function moduleOf({ apiVersion }: Manifest): string {
  const version = String(apiVersion);
  return `${MODELS[version.split('/')[0] ?? ''] ?? 'kubernetes-models/'}${version}`;
}

async function modelOf(manifest: Manifest): Promise<Model> {
  const models = (await import(moduleOf(manifest))) as Record<string, Model>;
  const model = models[manifest.kind];
  if (model === undefined)
    throw new Error(`nothing knows a ${manifest.kind} of ${String(manifest.apiVersion)}`);
  return model;
}

/** The members that the types of the schemas do not have, and values of other types, as the compiler tells them. */
function unknownTo(manifests: readonly Manifest[]): string[] {
  const file = resolve('test/deploy/rendered.ts');
  const text = manifests
    .map((manifest, index) => {
      const model = `Model${index}`;
      const { apiVersion: _group, kind: _kind, ...members } = manifest;
      return `import { ${manifest.kind} as ${model} } from '${moduleOf(manifest)}';\nnew ${model}(${JSON.stringify(members)});`;
    })
    .join('\n');
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (path) => path === file || fileExists.call(host, path);
  host.getSourceFile = (path, language, ...rest) =>
    path === file
      ? ts.createSourceFile(path, text, language)
      : getSourceFile.call(host, path, language, ...rest);
  const program = ts.createProgram([file], options, host);
  const source = program.getSourceFile(file);
  if (source === undefined) throw new Error('the compiler did not take the manifests');
  return program
    .getSemanticDiagnostics(source)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

describe('the schemas of Kubernetes and of its operators', () => {
  it.each(Object.keys(SETS))('take every object: %s', async (name) => {
    for (const manifest of manifestsOf(...setOf(name))) {
      const model = await modelOf(manifest);

      expect(() => new model(manifest).validate()).not.toThrow();
    }
  });

  it('take the database of the example', async () => {
    const [cluster] = read(readFileSync(EXAMPLE, 'utf8'));
    const model = await modelOf(cluster!);

    expect(() => new model(cluster).validate()).not.toThrow();
  });

  it('know every member of every object', () => {
    const all = [
      ...manifestsOf(...setOf('everything')),
      ...manifestsOf(...setOf('single-node')),
      ...read(readFileSync(EXAMPLE, 'utf8')),
    ];

    expect(unknownTo(all)).toEqual([]);
  });

  it('do not take what is wrong: a member that nobody knows, one of another type, one that is missing', async () => {
    const deployment = manifestsOf(...setOf('database')).find(({ kind }) => kind === 'Deployment')!;
    const planted = structuredClone(deployment) as any;
    planted.spec.template.spec.containers[0].lifecycle.preStopp = {};
    const mistyped = structuredClone(deployment) as any;
    mistyped.spec.replicas = 'two';
    const missing = structuredClone(deployment) as any;
    delete missing.spec.selector;
    const model = await modelOf(deployment);

    expect(unknownTo([planted]).join()).toContain('preStopp');
    expect(() => new model(mistyped).validate()).toThrow('must be integer');
    expect(() => new model(missing).validate()).toThrow('selector');
  });
});
