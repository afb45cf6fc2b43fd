import { describe, expect, it } from '@jest/globals';
import { environmentOf, judged, podsOf } from '../../scripts/chart/environment.js';
import { OUTSIDERS, SETS } from '../../scripts/chart/sets.js';
import { advertisedUrl } from '../../src/hub/cluster/peers/address.js';
import { VARIABLES } from '../../src/hub/config/environment.js';
import type { HubConfig } from '../../src/hub/config/hub-config.js';
import { isLetIn, isLetOut } from './support/network.js';
import { at, manifestsOf, objectOf, setOf } from './support/rendering.js';

const REPLICA = { 'app.kubernetes.io/name': 'fairlead', 'app.kubernetes.io/instance': 'release' };
const job = (part: string) => ({ ...REPLICA, 'app.kubernetes.io/name': `fairlead-${part}` });
const MONITORING = { 'kubernetes.io/metadata.name': 'monitoring' };
const STRANGER = { pod: { app: 'other' }, namespace: { 'kubernetes.io/metadata.name': 'other' } };
const ANYBODY = { address: '203.0.113.9' };

describe.each(Object.keys(SETS))('the pods of %s', (name) => {
  const pods = podsOf(manifestsOf(...setOf(name)));

  it('run as a user without rights, with a root that nobody can write, and without a token of the cluster', () => {
    for (const { pod } of pods) {
      expect(pod.automountServiceAccountToken).toBe(false);
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 1000,
        runAsGroup: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const member of ['hostNetwork', 'hostPID', 'hostIPC']) expect(pod[member]).toBeUndefined();
      for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    }
  });

  it('have no host folder, and nothing of the nodes', () => {
    for (const { pod } of pods) {
      for (const volume of (pod.volumes ?? []) as object[]) {
        expect(Object.keys(volume).filter((member) => member !== 'name')).toEqual([
          'secret' in volume ? 'secret' : 'emptyDir',
        ]);
      }
    }
  });

  it('are told what the hub takes, each of them, with secrets by reference alone', () => {
    const manifests = manifestsOf(...setOf(name));
    for (const { pod } of pods) {
      for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
        if (container.command[0] !== 'fairlead') continue;
        const environment = environmentOf(manifests, OUTSIDERS, container);
        expect(judged(environment, container.command)).not.toBeInstanceOf(Array);
        for (const { name: variable, value } of container.env ?? []) {
          if (/SECRET|KEYS|DATABASE_URL|DATABASE_DIRECT_URL/.test(variable)) expect(value).toBeUndefined();
        }
      }
    }
  });
});

describe('what the replicas are told', () => {
  it('is everything that a hub can be told', () => {
    const manifests = manifestsOf(...setOf('everything'));
    const [container] = podsOf(manifests).find(({ name }) => name.startsWith('Deployment'))!.pod.containers;

    const told = environmentOf(manifests, OUTSIDERS, container);

    expect(VARIABLES.filter((name) => told[name] === undefined)).toEqual([]);
  });

  it.each([
    ['database', 'http://[fd00:10:244::7]:8091'],
    ['everything', 'https://[fd00:10:244::7]:8091'],
  ])('is the address of the pod, at which the others reach it: %s', (name, url) => {
    const manifests = manifestsOf(...setOf(name));
    const deployment = podsOf(manifests).find((each) => each.name.startsWith('Deployment'))!;
    const config = judged(environmentOf(manifests, OUTSIDERS, deployment.pod.containers[0])) as HubConfig;

    expect(advertisedUrl(config, config.internalListen.port)).toBe(url);
  });

  it.each(['cloudnative-pg', 'managed-database', 'everything'])(
    'is by which authorities the database is known, in whatever reaches it: %s',
    (name) => {
      const manifests = manifestsOf(...setOf(name));
      const reaching = podsOf(manifests).flatMap(({ pod }) =>
        [...(pod.initContainers ?? []), ...pod.containers]
          .filter(({ command }) => command[0] === 'fairlead')
          .map((container) => ({ container, volumes: pod.volumes ?? [] })),
      );

      expect(reaching.map(({ container }) => container.name)).toEqual(
        expect.arrayContaining(['hub', 'assert-secrets', 'migration']),
      );
      for (const { container, volumes } of reaching) {
        const told = environmentOf(manifests, OUTSIDERS, container);
        const { database } = judged(told, container.command) as HubConfig;
        const file = new URL(database.url!).searchParams.get('sslrootcert');
        const mount = container.volumeMounts?.find(({ mountPath }) => file?.startsWith(`${mountPath}/`));
        const items = volumes.find((volume) => volume.name === mount?.name)?.secret?.items;
        // Alone: beside the certificate of an authority its key may be in the secret.
        expect(items?.map(({ path }) => `${mount!.mountPath}/${path}`)).toEqual([file]);
      }
    },
  );

  it('switches on the traces and the exported log, where further variables say so', () => {
    const toldBy = (name: string) => {
      const manifests = manifestsOf(...setOf(name));
      const deployment = podsOf(manifests).find((each) => each.name.startsWith('Deployment'))!;
      return judged(environmentOf(manifests, OUTSIDERS, deployment.pod.containers[0]));
    };

    expect(toldBy('everything')).toMatchObject({
      tracing: { protocol: 'http/protobuf' },
      logExport: { protocol: 'http/protobuf' },
    });
    expect(toldBy('database')).toMatchObject({ tracing: null, logExport: null });
  });

  it('stops their container by the drain of the hub itself, within its grace', () => {
    const { pod } = podsOf(manifestsOf(...setOf('everything'))).find(({ name }) =>
      name.startsWith('Deployment'),
    )!;

    expect(pod.containers[0].lifecycle?.preStop.exec.command).toEqual([
      'fairlead',
      'hub',
      'drain',
      '--local',
    ]);
    expect(pod.terminationGracePeriodSeconds).toBe(200);
  });
});

describe('the network policies', () => {
  const manifests = manifestsOf(...setOf('everything'));

  it.each([
    ['the public port from anywhere', REPLICA, 8080, ANYBODY, true],
    ['the public port from any pod', REPLICA, 8080, STRANGER, true],
    ['the internal port from a replica', REPLICA, 8091, { pod: REPLICA }, true],
    [
      'the internal port from Prometheus, where it is named',
      REPLICA,
      8091,
      { pod: { app: 'prometheus' }, namespace: MONITORING },
      true,
    ],
    ['no internal port from anywhere', REPLICA, 8091, ANYBODY, false],
    ['no internal port from another pod', REPLICA, 8091, { pod: { app: 'other' } }, false],
    ['no internal port from another namespace', REPLICA, 8091, STRANGER, false],
    [
      'no internal port from a replica of the same name elsewhere',
      REPLICA,
      8091,
      { pod: REPLICA, namespace: STRANGER.namespace },
      false,
    ],
    ['no internal port from a job of the release', REPLICA, 8091, { pod: job('retention') }, false],
    ['no other port', REPLICA, 9229, { pod: REPLICA }, false],
    ['nothing at the test', job('test'), 8080, { pod: REPLICA }, false],
    ['nothing at a job', job('retention'), 8080, { pod: REPLICA }, false],
  ])('let in %s', (_, to, port, from, expected) => {
    expect(isLetIn(manifests, to, port, from)).toBe(expected);
  });

  const database = { address: '10.20.3.4' };
  const provider = { address: '10.30.3.4' };
  it.each([
    ['names', REPLICA, 53, ANYBODY, 'UDP', true],
    ['names over TCP', REPLICA, 53, ANYBODY, 'TCP', true],
    ['names where they are resolved at another port', job('migration'), 5353, ANYBODY, 'UDP', true],
    ['the database', REPLICA, 5432, database, 'TCP', true],
    ['its pooler', REPLICA, 6432, database, 'TCP', true],
    ['another replica', REPLICA, 8091, { pod: REPLICA }, 'TCP', true],
    ['what is named beside that', REPLICA, 4318, { pod: {}, namespace: MONITORING }, 'TCP', true],
    ['no database elsewhere', REPLICA, 5432, ANYBODY, 'TCP', false],
    ['no other port of the database', REPLICA, 22, database, 'TCP', false],
    ['the OpenID provider', REPLICA, 443, provider, 'TCP', true],
    ['no other port of it', REPLICA, 22, provider, 'TCP', false],
    ['nobody else', REPLICA, 443, ANYBODY, 'TCP', false],
    ['no internal port of another pod', REPLICA, 8091, STRANGER, 'TCP', false],
    ['the database from the migration', job('migration'), 5432, database, 'TCP', true],
    ['no replica from the migration', job('migration'), 8091, { pod: REPLICA }, 'TCP', false],
    ['the database from the retention', job('retention'), 5432, database, 'TCP', true],
    ['no provider from the migration', job('migration'), 443, provider, 'TCP', false],
    ['the public port of a replica from the test', job('test'), 8080, { pod: REPLICA }, 'TCP', true],
    ['names from the test', job('test'), 53, ANYBODY, 'UDP', true],
    ['no internal port from the test', job('test'), 8091, { pod: REPLICA }, 'TCP', false],
    ['no database from the test', job('test'), 5432, database, 'TCP', false],
    ['nobody else from the retention', job('retention'), 443, ANYBODY, 'TCP', false],
  ])('let out to %s', (_, from, port, to, protocol, expected) => {
    expect(isLetOut(manifests, from, port, to, protocol)).toBe(expected);
  });

  it('name ports of others by number, which every network plugin knows', () => {
    const rules = manifests
      .filter(({ kind }) => kind === 'NetworkPolicy')
      .flatMap(({ spec }) => (spec as { egress: { ports?: { port: unknown }[] }[] }).egress);

    const ports = rules.flatMap(({ ports: each = [] }) => each.map(({ port }) => typeof port));

    expect(new Set(ports)).toEqual(new Set(['number']));
  });

  it('select the pods that they are for', () => {
    const labels = podsOf(manifests).map(({ labels: each }) => each);
    for (const { kind, metadata, spec } of manifests.filter((each) => each.kind === 'NetworkPolicy')) {
      const { matchLabels } = (spec as { podSelector: { matchLabels: Record<string, string> } }).podSelector;
      const selected = labels.filter((each) =>
        Object.entries(matchLabels).every(([name, value]) => each[name] === value),
      );
      expect({ policy: `${kind} ${metadata.name}`, pods: selected.length }).toEqual({
        policy: `${kind} ${metadata.name}`,
        pods: 1,
      });
    }
  });
});

describe('the ways in from outside', () => {
  const manifests = manifestsOf(...setOf('everything'));
  const INTERNAL = ['/internal', '/internal/', '/internal/v1/drain', '/internal/v1/link'];
  const PUBLIC = ['/', '/api/v1/brokers', '/api/v1/connect', '/docs', '/readyz', '/internals'];

  it.each([
    ...INTERNAL.map((path) => [path, false] as const),
    ...PUBLIC.map((path) => [path, true] as const),
  ])('lead %s to the replicas: %s', (path, isPublic) => {
    const toReplicas = [ingressBackend(path), routeBackend(path)].map(
      (name) => name !== undefined && selects(name),
    );

    expect(toReplicas).toEqual([isPublic, isPublic]);
  });

  it('never lead to the internal service, which has no address of its own outside', () => {
    expect(JSON.stringify([objectOf(manifests, 'Ingress'), objectOf(manifests, 'HTTPRoute')])).not.toContain(
      '-internal',
    );
    expect(at(objectOf(manifests, 'Service/release-fairlead'), 'spec.ports')).toHaveLength(1);
    expect(at(objectOf(manifests, 'Service/release-fairlead'), 'spec.ports.0.targetPort')).toBe('http');
  });

  /** The longest path that fits, by whole segments, as both kinds of object are read. */
  function longest<T>(path: string, rules: [prefix: string, rule: T][]): T | undefined {
    const bare = (text: string) => text.replace(/\/$/, '');
    return rules
      .filter(([prefix]) => path === prefix || path.startsWith(`${bare(prefix)}/`))
      .sort(([one], [other]) => other.length - one.length)[0]?.[1];
  }

  function ingressBackend(path: string): string | undefined {
    const paths = at(objectOf(manifests, 'Ingress'), 'spec.rules.0.http.paths') as any[];
    return longest(
      path,
      paths.map((each) => [each.path, each.backend.service.name]),
    );
  }

  function routeBackend(path: string): string | undefined {
    const rules = at(objectOf(manifests, 'HTTPRoute'), 'spec.rules') as any[];
    return longest(
      path,
      rules.map((each) => [each.matches[0].path.value, each.backendRefs?.[0].name]),
    );
  }

  /** Whether a service leads to the replicas: without a selector nobody stands behind it. */
  function selects(name: string): boolean {
    const service = objectOf(manifests, `Service/${name}`);
    expect(service).toBeDefined();
    return at(service, 'spec.selector') !== undefined;
  }
});
