import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { helm, read } from '../../scripts/chart/helm.js';
import { readValues } from '../../scripts/chart/values.js';
import { LIMITS } from '../../src/protocol/limits.js';
import { at, manifestsOf, objectOf, setOf } from './support/rendering.js';

const POD = 'spec.template.spec';
const HUB = `${POD}.containers.0`;
const INSIDE = 'release-fairlead-internal';

const PROVIDER = [
  '--set',
  'oidc.issuer=https://login.example.com,oidc.clientId=hub,oidc.clientSecret=a-secret',
];

/** At which port each is reached. */
const PORTS_OF_PROVIDERS: [issuer: string, port: number][] = [
  ['https://login.example.com', 443],
  ['https://login.example.com:8443/realms/fleet', 8443],
  ['https://[fd00::8443]', 443],
];

/**
 * For each value: how it is set, where it is seen, what is seen there by default, and what then. Those that have no
 * default object to be seen in are set beside what makes one.
 */
const KNOBS: [value: string, set: string[], where: string, path: string, before: unknown, after: unknown][] =
  [
    ['replicas', ['--set', 'replicas=5'], 'Deployment', 'spec.replicas', 2, 5],
    [
      'strategy',
      ['--set', 'strategy=fast'],
      'Deployment',
      'spec.strategy.rollingUpdate',
      { maxUnavailable: 0, maxSurge: 1 },
      { maxUnavailable: 0, maxSurge: '100%' },
    ],
    // By then the one before it has drained and is gone, for which Kubernetes itself does not wait.
    ['minReadySeconds', ['--set', 'minReadySeconds=20'], 'Deployment', 'spec.minReadySeconds', 75, 20],
    ['minReadySeconds', ['--set', 'minReadySeconds=0'], 'Deployment', 'spec.minReadySeconds', 75, 0],
    [
      'minReadySeconds',
      ['--set', 'drain.deadlineSeconds=120'],
      'Deployment',
      'spec.minReadySeconds',
      75,
      135,
    ],
    ['minReadySeconds', ['--set', 'strategy=fast'], 'Deployment', 'spec.minReadySeconds', 75, 5],
    [
      'minReadySeconds',
      ['--set', 'minReadySeconds=3600'],
      'Deployment',
      'spec.progressDeadlineSeconds',
      675,
      4_200,
    ],
    [
      'image.repository',
      ['--set', 'image.repository=mirror.example/hub'],
      'Deployment',
      `${HUB}.image`,
      'ghcr.io/fairlead/fairlead:0.1.0',
      'mirror.example/hub:0.1.0',
    ],
    [
      'image.tag',
      ['--set', 'image.tag=9.9.9'],
      'Deployment',
      `${HUB}.image`,
      'ghcr.io/fairlead/fairlead:0.1.0',
      'ghcr.io/fairlead/fairlead:9.9.9',
    ],
    [
      'image.digest',
      ['--set', `image.digest=sha256:${'7d'.repeat(32)}`],
      'Deployment',
      `${HUB}.image`,
      'ghcr.io/fairlead/fairlead:0.1.0',
      `ghcr.io/fairlead/fairlead@sha256:${'7d'.repeat(32)}`,
    ],
    [
      'image.pullPolicy',
      ['--set', 'image.pullPolicy=Always'],
      'Deployment',
      `${HUB}.imagePullPolicy`,
      'IfNotPresent',
      'Always',
    ],
    [
      'imagePullSecrets',
      ['--set', 'imagePullSecrets={a,b}'],
      'Deployment',
      `${POD}.imagePullSecrets`,
      undefined,
      [{ name: 'a' }, { name: 'b' }],
    ],
    [
      'publicUrl',
      ['--set', 'publicUrl=https://other.example'],
      'ConfigMap',
      'data.FAIRLEAD_PUBLIC_URL',
      'https://hub.example.com',
      'https://other.example',
    ],
    [
      'database.url',
      ['--set', 'database.url=postgres://b/c'],
      'Secret/release-fairlead',
      'stringData.DATABASE_URL',
      'postgres://fairlead:example@database.example.com:5432/fairlead',
      'postgres://b/c',
    ],
    [
      'database.directUrl',
      ['--set', 'database.directUrl=postgres://d/c'],
      'Secret/release-fairlead',
      'stringData.DATABASE_DIRECT_URL',
      undefined,
      'postgres://d/c',
    ],
    [
      'database.existingSecret',
      ['--set', 'database.url=,database.existingSecret=db-app'],
      'Deployment',
      `${HUB}.env.1.valueFrom.secretKeyRef`,
      { name: 'release-fairlead', key: 'DATABASE_URL' },
      { name: 'db-app', key: 'uri' },
    ],
    [
      'database.existingSecretKey',
      ['--set', 'database.url=,database.existingSecret=db-app,database.existingSecretKey=address'],
      'Deployment',
      `${HUB}.env.1.valueFrom.secretKeyRef`,
      { name: 'release-fairlead', key: 'DATABASE_URL' },
      { name: 'db-app', key: 'address' },
    ],
    [
      'database.pooler',
      ['--set', 'database.pooler=transaction'],
      'ConfigMap',
      'data.FAIRLEAD_DATABASE_POOLER',
      undefined,
      'transaction',
    ],
    [
      'database.caSecret',
      ['--set', 'database.caSecret=db-ca'],
      'Deployment',
      `${POD}.volumes.2`,
      undefined,
      { name: 'database-ca', secret: { secretName: 'db-ca', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    ],
    [
      'database.caSecretKey',
      ['--set', 'database.caSecret=db-ca,database.caSecretKey=bundle.pem'],
      'Deployment',
      `${POD}.volumes.2.secret.items`,
      undefined,
      [{ key: 'bundle.pem', path: 'ca.crt' }],
    ],
    ['ipv6', ['--set', 'ipv6=true'], 'ConfigMap', 'data.FAIRLEAD_LISTEN', '0.0.0.0:8080', '[::]:8080'],
    [
      'ipv6',
      ['--set', 'ipv6=true'],
      'ConfigMap',
      'data.FAIRLEAD_INTERNAL_LISTEN',
      '0.0.0.0:8091',
      '[::]:8091',
    ],
    [
      'sealKeys',
      ['--set-string', `sealKeys=${'7d1c'.repeat(16)}`],
      'Secret/release-fairlead',
      'stringData.FAIRLEAD_SEAL_KEYS',
      '7d1c0e5b9f2a4836c1d7e0f3a5928b4c6e8f1a3d5b7c9e0f2a4c6d8e1b3f5a79',
      '7d1c'.repeat(16),
    ],
    [
      'clusterSecret',
      ['--set-string', `clusterSecret=${'7d1c'.repeat(16)}`],
      'Secret/release-fairlead',
      'stringData.FAIRLEAD_CLUSTER_SECRET',
      '3b5a79d1c7e0f3a5928b4c6e8f1a3d5b7c9e0f2a4c6d8e1b7d1c0e5b9f2a4836',
      '7d1c'.repeat(16),
    ],
    [
      'clusterSecretPrevious',
      ['--set-string', `clusterSecretPrevious=${'7d1c'.repeat(16)}`],
      'Secret/release-fairlead',
      'stringData.FAIRLEAD_CLUSTER_SECRET_PREVIOUS',
      undefined,
      '7d1c'.repeat(16),
    ],
    [
      'internalTls.mode',
      ['--set', 'internalTls.mode=accept,internalTls.secret=a'],
      'ConfigMap',
      'data.FAIRLEAD_INTERNAL_TLS',
      undefined,
      'accept',
    ],
    [
      'internalTls.secret',
      ['--set', 'internalTls.mode=require,internalTls.secret=a'],
      'Deployment',
      `${POD}.volumes.2`,
      undefined,
      { name: 'internal-tls', secret: { secretName: 'a', defaultMode: 0o440 } },
    ],
    [
      'internalTls.metricsSecret',
      [
        '--set',
        'internalTls.mode=require,internalTls.secret=a,internalTls.metricsSecret=b,serviceMonitor.enabled=true',
      ],
      'ServiceMonitor',
      'spec.endpoints.0.tlsConfig',
      undefined,
      {
        serverName: 'fairlead-internal',
        ca: { secret: { name: 'b', key: 'ca.crt' } },
        cert: { secret: { name: 'b', key: 'tls.crt' } },
        keySecret: { name: 'b', key: 'tls.key' },
      },
    ],
    [
      'existingSecret',
      ['--set', 'database.url=,sealKeys=,clusterSecret=,existingSecret=mine'],
      'Deployment',
      `${HUB}.env.1.valueFrom.secretKeyRef.name`,
      'release-fairlead',
      'mine',
    ],
    [
      'migration.enabled',
      ['--set', 'migration.enabled=false'],
      'Job',
      'metadata.name',
      'release-fairlead-migration',
      undefined,
    ],
    [
      'migration.deadlineSeconds',
      ['--set', 'migration.deadlineSeconds=60'],
      'Job',
      'spec.activeDeadlineSeconds',
      600,
      60,
    ],
    [
      'migration.deadlineSeconds',
      ['--set', 'migration.enabled=false,migration.deadlineSeconds=601'],
      'Deployment',
      `${HUB}.startupProbe`,
      { httpGet: { path: '/livez', port: 'http' }, periodSeconds: 2, failureThreshold: 60 },
      { httpGet: { path: '/livez', port: 'http' }, periodSeconds: 2, failureThreshold: 361 },
    ],
    ['migration.backoffLimit', ['--set', 'migration.backoffLimit=0'], 'Job', 'spec.backoffLimit', 3, 0],
    [
      'drain.deadlineSeconds',
      ['--set', 'drain.deadlineSeconds=100'],
      'Deployment',
      `${POD}.terminationGracePeriodSeconds`,
      75,
      115,
    ],
    [
      'drain.lingerSeconds',
      ['--set', 'drain.lingerSeconds=20'],
      'ConfigMap',
      'data.FAIRLEAD_DRAIN_LINGER_S',
      '10',
      '20',
    ],
    [
      'drain.brokersPerSecond',
      ['--set', 'drain.brokersPerSecond=9'],
      'ConfigMap',
      'data.FAIRLEAD_MOVE_BUDGET',
      '200',
      '9',
    ],
    [
      'terminationGracePeriodSeconds',
      ['--set', 'terminationGracePeriodSeconds=75'],
      'Deployment',
      `${POD}.terminationGracePeriodSeconds`,
      75,
      75,
    ],
    [
      'terminationGracePeriodSeconds',
      ['--set', 'terminationGracePeriodSeconds=500'],
      'Deployment',
      `${POD}.terminationGracePeriodSeconds`,
      75,
      500,
    ],
    [
      'admissionsPerSecond',
      ['--set', 'admissionsPerSecond=7'],
      'ConfigMap',
      'data.FAIRLEAD_ADMISSIONS_PER_S',
      '1000',
      '7',
    ],
    [
      'trustedProxies',
      ['--set', 'trustedProxies={10.0.0.0/8,::1}'],
      'ConfigMap',
      'data.FAIRLEAD_TRUSTED_PROXIES',
      undefined,
      '10.0.0.0/8,::1',
    ],
    [
      'corsOrigins',
      ['--set', 'corsOrigins={https://a,https://b}'],
      'ConfigMap',
      'data.FAIRLEAD_CORS_ORIGINS',
      undefined,
      'https://a,https://b',
    ],
    ['firstBoot', ['--set', 'firstBoot=token'], 'ConfigMap', 'data.FAIRLEAD_FIRST_BOOT', 'link', 'token'],
    [
      'sessionSecrets',
      ['--set-string', `sessionSecrets=${'7d1c'.repeat(16)}`],
      'Secret/release-fairlead',
      'stringData.FAIRLEAD_SESSION_SECRETS',
      undefined,
      '7d1c'.repeat(16),
    ],
    [
      'oidc.issuer',
      PROVIDER,
      'ConfigMap',
      'data.FAIRLEAD_OIDC_ISSUER',
      undefined,
      'https://login.example.com',
    ],
    ['oidc.clientId', PROVIDER, 'ConfigMap', 'data.FAIRLEAD_OIDC_CLIENT_ID', undefined, 'hub'],
    [
      'oidc.clientSecret',
      PROVIDER,
      'Secret/release-fairlead',
      'stringData.FAIRLEAD_OIDC_CLIENT_SECRET',
      undefined,
      'a-secret',
    ],
    [
      'oidc.allow',
      [...PROVIDER, '--set', 'oidc.allow={example.com,a@b.example}'],
      'ConfigMap',
      'data.FAIRLEAD_OIDC_ALLOW',
      undefined,
      'example.com,a@b.example',
    ],
    ['rateLimits', ['--set', 'rateLimits=off'], 'ConfigMap', 'data.FAIRLEAD_RATE_LIMITS', undefined, 'off'],
    ['claimAhead', ['--set', 'claimAhead=false'], 'ConfigMap', 'data.FAIRLEAD_CLAIM_AHEAD', 'on', 'off'],
    ['peerWakes', ['--set', 'peerWakes=false'], 'ConfigMap', 'data.FAIRLEAD_PEER_WAKES', 'on', 'off'],
    [
      'strays.orphans',
      ['--set', 'strays.orphans=report'],
      'ConfigMap',
      'data.FAIRLEAD_ORPHAN_RUNS',
      'stop',
      'report',
    ],
    [
      'strays.strangers',
      ['--set', 'strays.strangers=stop'],
      'ConfigMap',
      'data.FAIRLEAD_STRANGER_RUNS',
      'report',
      'stop',
    ],
    ['history.days', ['--set', 'history.days=8'], 'ConfigMap', 'data.FAIRLEAD_HISTORY_DAYS', '30', '8'],
    [
      'history.retention',
      ['--set', 'history.retention=off'],
      'ConfigMap',
      'data.FAIRLEAD_RETENTION',
      'on',
      'off',
    ],
    [
      'history.retention',
      ['--set', 'history.retention=job'],
      'CronJob',
      'spec.schedule',
      undefined,
      '20 3 * * *',
    ],
    [
      'history.schedule',
      ['--set', 'history.retention=job,history.schedule=5 4 * * *'],
      'CronJob',
      'spec.schedule',
      undefined,
      '5 4 * * *',
    ],
    ['logLevel', ['--set', 'logLevel=debug'], 'ConfigMap', 'data.FAIRLEAD_LOG_LEVEL', 'info', 'debug'],
    [
      'extraEnv',
      ['--set', 'extraEnv.OTEL_SERVICE_NAME=hub'],
      'Deployment',
      `${HUB}.env.9`,
      undefined,
      { name: 'OTEL_SERVICE_NAME', value: 'hub' },
    ],
    [
      'service.type',
      ['--set', 'service.type=LoadBalancer'],
      'Service/release-fairlead',
      'spec.type',
      'ClusterIP',
      'LoadBalancer',
    ],
    [
      'service.port',
      ['--set', 'service.port=8080'],
      'Service/release-fairlead',
      'spec.ports.0.port',
      80,
      8080,
    ],
    [
      'service.annotations',
      ['--set', 'service.annotations.a=b'],
      'Service/release-fairlead',
      'metadata.annotations',
      undefined,
      { a: 'b' },
    ],
    [
      'service.externalTrafficPolicy',
      ['--set', 'service.type=LoadBalancer,service.externalTrafficPolicy=Local'],
      'Service/release-fairlead',
      'spec.externalTrafficPolicy',
      undefined,
      'Local',
    ],
    [
      'service.loadBalancerClass',
      ['--set', 'service.type=LoadBalancer,service.loadBalancerClass=example.com/a'],
      'Service/release-fairlead',
      'spec.loadBalancerClass',
      undefined,
      'example.com/a',
    ],
    [
      'ingress.enabled',
      ['--set', 'ingress.enabled=true'],
      'Ingress',
      'spec.rules.0.host',
      undefined,
      'hub.example.com',
    ],
    [
      'ingress.className',
      ['--set', 'ingress.enabled=true,ingress.className=nginx'],
      'Ingress',
      'spec.ingressClassName',
      undefined,
      'nginx',
    ],
    [
      'ingress.annotations',
      ['--set', 'ingress.enabled=true,ingress.annotations.a=b'],
      'Ingress',
      'metadata.annotations',
      undefined,
      { a: 'b' },
    ],
    [
      'ingress.tlsSecret',
      ['--set', 'ingress.enabled=true,ingress.tlsSecret=cert'],
      'Ingress',
      'spec.tls',
      undefined,
      [{ secretName: 'cert', hosts: ['hub.example.com'] }],
    ],
    [
      'route.enabled',
      ['--set', 'route.enabled=true,route.parentRefs[0].name=gate'],
      'HTTPRoute',
      'spec.hostnames',
      undefined,
      ['hub.example.com'],
    ],
    [
      'route.parentRefs',
      ['--set', 'route.enabled=true,route.parentRefs[0].name=gate'],
      'HTTPRoute',
      'spec.parentRefs',
      undefined,
      [{ name: 'gate' }],
    ],
    [
      'route.annotations',
      ['--set', 'route.enabled=true,route.parentRefs[0].name=gate,route.annotations.a=b'],
      'HTTPRoute',
      'metadata.annotations',
      undefined,
      { a: 'b' },
    ],
    [
      'networkPolicy.enabled',
      ['--set', 'networkPolicy.enabled=false'],
      'NetworkPolicy',
      'apiVersion',
      'networking.k8s.io/v1',
      undefined,
    ],
    [
      'networkPolicy.dnsPorts',
      ['--set', 'networkPolicy.dnsPorts={5353}'],
      'NetworkPolicy/release-fairlead',
      'spec.egress.0.ports',
      [
        { port: 53, protocol: 'UDP' },
        { port: 53, protocol: 'TCP' },
      ],
      [
        { port: 5353, protocol: 'UDP' },
        { port: 5353, protocol: 'TCP' },
      ],
    ],
    [
      'networkPolicy.databasePorts',
      ['--set', 'networkPolicy.databasePorts={5432,6432}'],
      'NetworkPolicy/release-fairlead',
      'spec.egress.1.ports.1.port',
      undefined,
      6432,
    ],
    [
      'networkPolicy.databaseTo',
      ['--set', 'networkPolicy.databaseTo[0].ipBlock.cidr=10.0.0.0/8'],
      'NetworkPolicy/release-fairlead',
      'spec.egress.1.to',
      undefined,
      [{ ipBlock: { cidr: '10.0.0.0/8' } }],
    ],
    [
      'networkPolicy.metricsFrom',
      ['--set', 'networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.a=b'],
      'NetworkPolicy/release-fairlead',
      'spec.ingress.1.from.1',
      undefined,
      { namespaceSelector: { matchLabels: { a: 'b' } } },
    ],
    [
      'networkPolicy.oidcTo',
      [...PROVIDER, '--set', 'networkPolicy.oidcTo[0].ipBlock.cidr=10.0.0.0/8'],
      'NetworkPolicy/release-fairlead',
      'spec.egress.3.to',
      undefined,
      [{ ipBlock: { cidr: '10.0.0.0/8' } }],
    ],
    ...PORTS_OF_PROVIDERS.map(([issuer, port]): (typeof KNOBS)[number] => [
      'oidc.issuer',
      [...PROVIDER, '--set', `oidc.issuer=${issuer}`],
      'NetworkPolicy/release-fairlead',
      'spec.egress.3',
      undefined,
      { ports: [{ port, protocol: 'TCP' }] },
    ]),
    [
      'networkPolicy.extraEgress',
      ['--set', 'networkPolicy.extraEgress[0].ports[0].port=4318'],
      'NetworkPolicy/release-fairlead',
      'spec.egress.3',
      undefined,
      { ports: [{ port: 4318 }] },
    ],
    [
      'podDisruptionBudget.enabled',
      ['--set', 'podDisruptionBudget.enabled=false'],
      'PodDisruptionBudget',
      'apiVersion',
      'policy/v1',
      undefined,
    ],
    [
      'podDisruptionBudget.maxUnavailable',
      ['--set', 'podDisruptionBudget.maxUnavailable=2'],
      'PodDisruptionBudget',
      'spec.maxUnavailable',
      1,
      2,
    ],
    [
      'autoscaling.enabled',
      ['--set', 'autoscaling.enabled=true'],
      'Deployment',
      'spec.replicas',
      2,
      undefined,
    ],
    [
      'autoscaling.minReplicas',
      ['--set', 'autoscaling.enabled=true,autoscaling.minReplicas=3'],
      'HorizontalPodAutoscaler',
      'spec.minReplicas',
      undefined,
      3,
    ],
    [
      'autoscaling.maxReplicas',
      ['--set', 'autoscaling.enabled=true,autoscaling.maxReplicas=4'],
      'HorizontalPodAutoscaler',
      'spec.maxReplicas',
      undefined,
      4,
    ],
    [
      'autoscaling.brokersPerReplica',
      ['--set', 'autoscaling.enabled=true,autoscaling.brokersPerReplica=5'],
      'HorizontalPodAutoscaler',
      'spec.metrics.0.pods.target',
      undefined,
      { type: 'AverageValue', averageValue: '5' },
    ],
    [
      'autoscaling.pendingPerReplica',
      ['--set', 'autoscaling.enabled=true,autoscaling.pendingPerReplica=6'],
      'HorizontalPodAutoscaler',
      'spec.metrics.1.object.target',
      undefined,
      { type: 'AverageValue', averageValue: '6' },
    ],
    [
      'topologySpread.enabled',
      ['--set', 'topologySpread.enabled=false'],
      'Deployment',
      `${POD}.topologySpreadConstraints.0.topologyKey`,
      'topology.kubernetes.io/zone',
      undefined,
    ],
    [
      'topologySpread.whenUnsatisfiable',
      ['--set', 'topologySpread.whenUnsatisfiable=DoNotSchedule'],
      'Deployment',
      `${POD}.topologySpreadConstraints.1.whenUnsatisfiable`,
      'ScheduleAnyway',
      'DoNotSchedule',
    ],
    [
      'serviceMonitor.enabled',
      ['--set', 'serviceMonitor.enabled=true'],
      'ServiceMonitor',
      'spec.endpoints.0.port',
      undefined,
      'internal',
    ],
    [
      'serviceMonitor.interval',
      ['--set', 'serviceMonitor.enabled=true,serviceMonitor.interval=1m'],
      'ServiceMonitor',
      'spec.endpoints.0.interval',
      undefined,
      '1m',
    ],
    [
      'serviceMonitor.labels',
      ['--set', 'serviceMonitor.enabled=true,serviceMonitor.labels.a=b'],
      'ServiceMonitor',
      'metadata.labels.a',
      undefined,
      'b',
    ],
    [
      'serviceAccount.name',
      ['--set', 'serviceAccount.name=hub'],
      'Deployment',
      `${POD}.serviceAccountName`,
      'release-fairlead',
      'hub',
    ],
    [
      'serviceAccount.annotations',
      ['--set', 'serviceAccount.annotations.a=b'],
      'ServiceAccount',
      'metadata.annotations',
      undefined,
      { a: 'b' },
    ],
    [
      'runAsUser',
      ['--set', 'runAsUser=1000650000'],
      'Deployment',
      `${POD}.securityContext.runAsUser`,
      1000,
      1_000_650_000,
    ],
    [
      'runAsUser',
      ['--set', 'runAsUser=null'],
      'Job',
      `${POD}.securityContext`,
      {
        runAsNonRoot: true,
        runAsUser: 1000,
        runAsGroup: 1000,
        fsGroup: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    ],
    [
      'resources',
      ['--set', 'resources.limits.memory=2Gi'],
      'Deployment',
      `${HUB}.resources.limits.memory`,
      '1Gi',
      '2Gi',
    ],
    [
      'podAnnotations',
      ['--set', 'podAnnotations.a=b'],
      'Deployment',
      'spec.template.metadata.annotations.a',
      undefined,
      'b',
    ],
    [
      'podLabels',
      ['--set', 'podLabels.a=b'],
      'Deployment',
      'spec.template.metadata.labels.a',
      undefined,
      'b',
    ],
    [
      'priorityClassName',
      ['--set', 'priorityClassName=high'],
      'Deployment',
      `${POD}.priorityClassName`,
      undefined,
      'high',
    ],
    [
      'nodeSelector',
      ['--set', 'nodeSelector.a=b'],
      'Deployment',
      `${POD}.nodeSelector`,
      undefined,
      { a: 'b' },
    ],
    [
      'tolerations',
      ['--set', 'tolerations[0].key=a'],
      'Deployment',
      `${POD}.tolerations`,
      undefined,
      [{ key: 'a' }],
    ],
    [
      'affinity',
      ['--set', 'affinity.nodeAffinity.a=b'],
      'Deployment',
      `${POD}.affinity`,
      undefined,
      { nodeAffinity: { a: 'b' } },
    ],
  ];

describe('the values of the chart', () => {
  it.each(KNOBS)('%s does what its paragraph says: %j', (_, set, where, path, before, after) => {
    const otherwise = manifestsOf(...setOf('database'));
    const manifests = manifestsOf(...setOf('database'), ...set);

    expect(at(objectOf(otherwise, where), path)).toEqual(before);
    expect(at(objectOf(manifests, where), path)).toEqual(after);
  });

  it('have each a test', () => {
    const { values } = readValues(readFileSync('helm/fairlead/values.yaml', 'utf8'));
    // What they render depends on which files there are: the next tests.
    const elsewhere = ['alerts.enabled', 'alerts.labels', 'dashboards.enabled', 'dashboards.labels'];
    const tried = new Set([...KNOBS.map(([value]) => value), ...elsewhere]);

    const untried = values.map(({ path }) => path).filter((path) => !tried.has(path));

    expect(untried).toEqual([]);
    expect([...tried].filter((path) => !values.some((value) => value.path === path))).toEqual([]);
  });
});

describe('the notes of the chart', () => {
  it.each([
    ['link', 'fli_', 'The link'],
    ['token', 'flp_', 'The personal token'],
  ])('say how the %s of the first boot is found', (firstBoot, begins, named) => {
    const { out } = helm(
      'install',
      'release',
      'helm/fairlead',
      '--dry-run=client',
      ...setOf('database'),
      '--set',
      `firstBoot=${firstBoot}`,
    );

    const notes = out.slice(out.indexOf('\nNOTES:'));
    // From when they were written, as the replicas that this upgrade replaces leave after that.
    const [, since = ''] = /fairlead rollout report --since (\S+) --expect \d+\n/.exec(notes) ?? [];
    expect(Math.abs(Date.now() - Date.parse(since))).toBeLessThan(60_000);
    expect(notes).toContain(`\n${named} `);
    expect(notes).toMatch(new RegExp(`logs .* \\| grep ${begins}\n`));
  });
});

describe('the alerts and the dashboards of the chart', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-chart-'));
  const ON = ['--set', 'alerts.enabled=true,alerts.labels.a=b,dashboards.enabled=true,dashboards.labels.c=d'];

  beforeAll(() => {
    cpSync('helm/fairlead', folder, { recursive: true });
    for (const name of ['alerts', 'dashboards']) {
      rmSync(join(folder, name), { recursive: true, force: true });
      mkdirSync(join(folder, name));
    }
    const rule =
      'alert: FairleadPlanted\nexpr: up == 0\nannotations:\n  summary: "{{ $labels.pod }} is away"\n';
    for (const name of ['FairleadPlanted', 'FairleadOther']) {
      const group = `groups:\n  - name: of-its-own\n    rules:\n      - ${rule.trim().replaceAll('\n', '\n        ')}\n`;
      writeFileSync(join(folder, 'alerts', `${name}.yaml`), group);
    }
    writeFileSync(join(folder, 'dashboards', 'overview.json'), '{"title":"{{pod}}"}');
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  const renderedWith = (...values: string[]) =>
    read(helm('template', 'release', folder, ...setOf('database'), ...values).out);

  it('become a PrometheusRule for each file, word by word', () => {
    const planted = {
      alert: 'FairleadPlanted',
      expr: 'up == 0',
      annotations: { summary: '{{ $labels.pod }} is away' },
    };

    const rules = renderedWith(...ON).filter(({ kind }) => kind === 'PrometheusRule');

    expect(rules.map(({ metadata }) => metadata.name).sort()).toEqual([
      'release-fairlead-fairlead-other',
      'release-fairlead-fairlead-planted',
    ]);
    for (const rule of rules) {
      expect(at(rule, 'metadata.labels.a')).toBe('b');
      expect(at(rule, 'spec.groups')).toEqual([{ name: 'of-its-own', rules: [planted] }]);
    }
  });

  it('become a ConfigMap for each dashboard, with the label by which Grafana finds it', () => {
    const dashboard = objectOf(renderedWith(...ON), 'ConfigMap/release-fairlead-dashboard-overview');

    expect(at(dashboard, 'metadata.labels')).toMatchObject({ grafana_dashboard: '1', c: 'd' });
    expect((dashboard?.data as Record<string, string>)['overview.json']).toBe('{"title":"{{pod}}"}');
  });

  it('are left out by default', () => {
    const kinds = renderedWith().map(({ kind, metadata }) => `${kind} ${metadata.name}`);

    expect(kinds.filter((each) => /PrometheusRule|dashboard/.test(each))).toEqual([]);
  });
});

describe('the objects of the chart', () => {
  it('are the ones that production needs, by default', () => {
    const kinds = manifestsOf(...setOf('database')).map(({ kind, metadata }) => `${kind} ${metadata.name}`);

    expect(kinds.sort()).toEqual([
      'ConfigMap release-fairlead',
      'Deployment release-fairlead',
      'Job release-fairlead-migration',
      'NetworkPolicy release-fairlead',
      'NetworkPolicy release-fairlead-migration',
      'NetworkPolicy release-fairlead-test-reach',
      'Pod release-fairlead-test-reach',
      'PodDisruptionBudget release-fairlead',
      'Secret release-fairlead',
      'Secret release-fairlead-migration',
      'Service release-fairlead',
      `Service ${INSIDE}`,
      'ServiceAccount release-fairlead',
    ]);
  });

  it.each(['database', 'single-node'])('are rendered as they are known: %s', (name) => {
    for (const manifest of manifestsOf(...setOf(name))) {
      expect(manifest).toMatchSnapshot(`${manifest.kind} ${manifest.metadata.name}`);
    }
  });

  it('have a single replica with a database of its own in the image for trials, without what needs another', () => {
    const manifests = manifestsOf(...setOf('single-node'));
    const deployment = objectOf(manifests, 'Deployment');

    expect(at(deployment, `${HUB}.image`)).toBe('ghcr.io/fairlead/fairlead:0.1.0-trial');
    expect(at(deployment, 'spec.strategy')).toEqual({ type: 'Recreate' });
    expect(at(deployment, `${POD}.initContainers`)).toBeUndefined();
    for (const kind of ['Job', 'Secret', 'PodDisruptionBudget'])
      expect(objectOf(manifests, kind)).toBeUndefined();
  });

  it('spread by the nodes alone that they may run on', () => {
    const constraints = at(
      objectOf(manifestsOf(...setOf('production')), 'Deployment'),
      `${POD}.topologySpreadConstraints`,
    ) as { nodeTaintsPolicy?: string }[];

    expect(constraints.map(({ nodeTaintsPolicy }) => nodeTaintsPolicy)).toEqual(['Honor', 'Honor']);
  });

  it('let the largest poll in at the door of the example', () => {
    const annotations = at(objectOf(manifestsOf(...setOf('production')), 'Ingress'), 'metadata.annotations');
    const most = (annotations as Record<string, string>)['nginx.ingress.kubernetes.io/proxy-body-size'];

    expect(most).toMatch(/^\d+m$/);
    expect(parseInt(most!, 10) * 1024 * 1024).toBeGreaterThan(LIMITS.pollBytes);
  });

  it('have no secret of their own where one is given', () => {
    expect(objectOf(manifestsOf(...setOf('production')), 'Secret')).toBeUndefined();
  });

  it('find replicas that are not ready for each other, and ready ones alone for the public', () => {
    const manifests = manifestsOf(...setOf('database'));

    const inside = objectOf(manifests, `Service/${INSIDE}`);
    expect(at(inside, 'spec.publishNotReadyAddresses')).toBe(true);
    expect(at(inside, 'spec.clusterIP')).toBe('None');
    expect(
      at(objectOf(manifests, 'Service/release-fairlead'), 'spec.publishNotReadyAddresses'),
    ).toBeUndefined();
  });

  it('migrate before anything of the release is there, with what is made for that alone', () => {
    const manifests = manifestsOf(...setOf('database'));
    const job = objectOf(manifests, 'Job');
    const needed = ['Secret/release-fairlead-migration', 'NetworkPolicy/release-fairlead-migration'];

    for (const which of needed) {
      const { annotations } = objectOf(manifests, which)?.metadata as unknown as {
        annotations: Record<string, string>;
      };
      expect(annotations['helm.sh/hook']).toBe('pre-install,pre-upgrade');
      expect(Number(annotations['helm.sh/hook-weight'])).toBeLessThan(0);
    }
    expect(at(job, 'metadata.annotations')).toMatchObject({ 'helm.sh/hook': 'pre-install,pre-upgrade' });
    // Neither is there before the first installation.
    expect(at(job, `${POD}.serviceAccountName`)).toBeUndefined();
    expect(at(job, `${HUB}.envFrom`)).toBeUndefined();
    expect(JSON.stringify(at(job, `${HUB}.env`))).not.toContain('"release-fairlead"');
  });
});
