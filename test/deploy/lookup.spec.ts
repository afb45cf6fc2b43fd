import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CHART, read } from '../../scripts/chart/helm.js';
import { at, manifestsOf, objectOf, setOf } from './support/rendering.js';

const run = promisify(execFile);
const NAMESPACE = 'fleet';
/** Kinds of objects by the version of the API that has them: what the examples render, and secrets, which are read. */
const KINDS = new Map([['v1', new Set(['Secret'])]]);
for (const { apiVersion, kind } of ['production', 'cloudnative-pg'].flatMap((name) =>
  manifestsOf(...setOf(name)),
)) {
  const version = String(apiVersion);
  KINDS.set(version, (KINDS.get(version) ?? new Set()).add(kind));
}

/** The part of a cluster's API by which Helm reads the secrets that are not the chart's. */
describe('a secret of somebody else, which Helm reads where it talks to a cluster', () => {
  const secrets = new Map<string, Record<string, string>>();
  let server: Server;
  let folder: string;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const answer = answerTo(request.url?.replace(/\?.*/, '') ?? '');
      response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify(answer ?? { kind: 'Status', status: 'Failure', reason: 'NotFound', code: 404 }),
      );
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    folder = mkdtempSync(join(tmpdir(), 'fairlead-lookup-'));
    const named = (kind: string, value: object) => ({ name: 'one', [kind]: value });
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'one',
      clusters: [named('cluster', { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })],
      users: [named('user', {})],
      contexts: [named('context', { cluster: 'one', user: 'one', namespace: NAMESPACE })],
    };
    // JSON is YAML.
    writeFileSync(join(folder, 'config'), JSON.stringify(config));
  });

  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    rmSync(folder, { recursive: true });
  });

  function answerTo(path: string): object | undefined {
    if (path === '/version') return { major: '1', minor: '35', gitVersion: 'v1.35.0' };
    if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] };
    if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups() };
    const kinds = KINDS.get(path.replace(/^\/apis?\//, ''));
    if (kinds !== undefined) return resourcesOf(path.replace(/^\/apis?\//, ''), [...kinds]);
    const [, name = ''] = new RegExp(`^/api/v1/namespaces/${NAMESPACE}/secrets/(.+)$`).exec(path) ?? [];
    const data = secrets.get(name);
    return data === undefined
      ? undefined
      : { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: NAMESPACE }, data };
  }

  async function checksumWith(...values: string[]): Promise<unknown> {
    const words = [
      'template',
      'release',
      CHART,
      '--namespace',
      NAMESPACE,
      '--dry-run=server',
      '--disable-openapi-validation',
      ...values,
    ];
    // A program that talks to this process is not waited for by a call that holds it up.
    const { stdout } = await run('bash', ['scripts/helm.sh', ...words], {
      env: {
        ...process.env,
        KUBECONFIG: join(folder, 'config'),
        HELM_CACHE_HOME: folder,
        HELM_CONFIG_HOME: folder,
      },
      maxBuffer: 64 * 1024 * 1024,
    });
    return at(objectOf(read(stdout), 'Deployment'), 'spec.template.metadata.annotations.checksum/secret');
  }

  it.each([
    ['existingSecret', 'fairlead-secrets', ['--values', `${CHART}/examples/production.yaml`]],
    [
      'database.existingSecret',
      'fairlead-db-app',
      [
        '--values',
        `${CHART}/examples/cloudnative-pg.yaml`,
        '--set-string',
        `sealKeys=${'7d1c'.repeat(16)},clusterSecret=${'3b5a'.repeat(16)}`,
      ],
    ],
  ])('restarts the pods with an upgrade once it has changed: %s', async (_, name, values) => {
    secrets.set(name, { key: 'b25l' });
    const before = await checksumWith(...values);
    const same = await checksumWith(...values);

    secrets.set(name, { key: 'b3RoZXI=' });
    const after = await checksumWith(...values);

    expect(before).toMatch(/^[0-9a-f]{64}$/);
    expect(same).toBe(before);
    expect(after).not.toBe(before);
  });
});

function groups(): object[] {
  return [...KINDS.keys()].flatMap((groupVersion) => {
    const [name = '', version] = groupVersion.split('/');
    if (version === undefined) return [];
    return [{ name, versions: [{ groupVersion, version }], preferredVersion: { groupVersion, version } }];
  });
}

function resourcesOf(groupVersion: string, kinds: string[]): object {
  const resources = kinds.map((kind) => ({
    name: `${kind.toLowerCase()}s`,
    singularName: kind.toLowerCase(),
    kind,
    namespaced: true,
    verbs: ['get', 'list'],
  }));
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources };
}
