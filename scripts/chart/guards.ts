import { EXAMPLE_KEY } from '../../src/hub/config/seal-keys.js';
import { CHART } from './helm.js';

const SOUND = ['--values', `${CHART}/ci/database-values.yaml`];
const SECRET = ['--values', `${CHART}/examples/production.yaml`];

/** Values that must not render, and a part of what is said about them. */
export const REFUSED: [claim: string, values: string[], said: string][] = [
  ['more than one replica without a shared database', [], 'more than one replica needs a database'],
  ['a database without keys', [...SOUND, '--set', 'sealKeys='], 'sealKeys is needed'],
  ['a key that is short', [...SOUND, '--set', 'sealKeys=abcdef'], 'sealKeys'],
  ['a key that is not hex', [...SOUND, '--set', `sealKeys=${'zz'.repeat(32)}`], 'sealKeys'],
  ['a database without a cluster secret', [...SOUND, '--set', 'clusterSecret='], 'clusterSecret is needed'],
  ['a cluster secret that is short', [...SOUND, '--set', 'clusterSecret=abcdef'], 'clusterSecret'],
  [
    'a cluster secret that is not hex',
    [...SOUND, '--set', `clusterSecret=${'zz'.repeat(32)}`],
    'clusterSecret',
  ],
  [
    'the cluster secret of the documentation',
    [...SOUND, '--set-string', `clusterSecret=${EXAMPLE_KEY}`],
    'must not be the example',
  ],
  [
    'TLS between replicas without certificates',
    [...SOUND, '--set', 'internalTls.mode=accept'],
    'internalTls.secret is needed',
  ],
  [
    'TLS between replicas that keeps Prometheus out',
    [...SOUND, '--set', 'internalTls.mode=require,internalTls.secret=a,serviceMonitor.enabled=true'],
    'internalTls.metricsSecret is needed',
  ],
  [
    'authorities of a database that is in the pod',
    ['--set', 'replicas=1,database.caSecret=a'],
    'database.caSecret needs a database outside',
  ],
  [
    'a policy for what comes from outside to a service that nothing comes to',
    [...SOUND, '--set', 'service.externalTrafficPolicy=Local'],
    'service.externalTrafficPolicy is for',
  ],
  [
    'a kind of balancer for a service that has none',
    [...SOUND, '--set', 'service.type=NodePort,service.loadBalancerClass=a'],
    'service.loadBalancerClass is for',
  ],
  [
    'more brokers for each replica than it hands over within its deadline',
    [...SOUND, '--set', 'autoscaling.enabled=true,autoscaling.brokersPerReplica=10001'],
    'drain.deadlineSeconds must be at least 61 with autoscaling',
  ],
  [
    'a provider of sign-ins without its client',
    [...SOUND, '--set', 'oidc.issuer=https://login.example.com'],
    'needs oidc.clientId',
  ],
  [
    'a provider of sign-ins that is asked in clear',
    [...SOUND, '--set', 'oidc.issuer=http://login.example.com,oidc.clientId=a,oidc.clientSecret=b'],
    'issuer',
  ],
  ['who may sign in without a provider', [...SOUND, '--set', 'oidc.allow={example.com}'], 'need oidc.issuer'],
  [
    'secrets of sessions without a database that lasts',
    ['--set', 'replicas=1', '--set-string', `sessionSecrets=${'7d1c'.repeat(16)}`],
    'need a database outside',
  ],
  [
    'a previous cluster secret alone',
    ['--set', 'replicas=1', '--set-string', `clusterSecretPrevious=${'7d1c'.repeat(16)}`],
    'needs clusterSecret',
  ],
  [
    'a cluster secret beside a secret of the user',
    [...SECRET, '--set-string', `clusterSecret=${'7d'.repeat(32)}`],
    'give one or the others',
  ],
  [
    'a secret of the release beside one of the user',
    [...SECRET, '--set', 'database.url=postgres://a'],
    'give one or the others',
  ],
  [
    'keys beside a secret of the user',
    [...SECRET, '--set', `sealKeys=${'7d'.repeat(32)}`],
    'give one or the others',
  ],
  [
    'an address beside a secret with the address',
    [...SOUND, '--set', 'database.existingSecret=fairlead-db-app'],
    'give one or the other',
  ],
  [
    'a database of an operator without a cluster secret',
    [
      '--set',
      `publicUrl=https://hub.example.com,database.existingSecret=fairlead-db-app`,
      '--set-string',
      `sealKeys=${'7d1c'.repeat(16)}`,
    ],
    'clusterSecret is needed',
  ],
  [
    'a cluster secret of one repeated byte',
    [...SOUND, '--set-string', `clusterSecret=${'7d'.repeat(32)}`],
    'clusterSecret must not be',
  ],
  [
    'the previous cluster secret of the documentation',
    [...SOUND, '--set-string', `clusterSecretPrevious=${EXAMPLE_KEY}`],
    'clusterSecretPrevious must not be',
  ],
  [
    'a previous cluster secret that is the current one',
    [
      ...SOUND,
      '--set-string',
      `clusterSecret=${'7D1C'.repeat(16)},clusterSecretPrevious=${'7d1c'.repeat(16)}`,
    ],
    'must not be the current one',
  ],
  [
    'the key of the documentation among others',
    [...SOUND, '--set-string', `sealKeys=${'7d1c'.repeat(16)}\\,${EXAMPLE_KEY}`],
    'sealKeys must not be',
  ],
  [
    'the secret of sessions of the documentation among others',
    [...SOUND, '--set-string', `sessionSecrets=${'7d1c'.repeat(16)}\\,${EXAMPLE_KEY}`],
    'sessionSecrets must not be',
  ],
  [
    'a secret of sessions of one repeated byte',
    [...SOUND, '--set-string', `sessionSecrets=${'7D'.repeat(32)}`],
    'sessionSecrets must not be',
  ],
  [
    'a network policy that keeps the replicas from their database',
    [...SOUND, '--set', 'networkPolicy.databasePorts={6432}'],
    'networkPolicy.databasePorts must hold 5432',
  ],
  [
    'a variable that has a value of its own',
    [...SOUND, '--set', 'extraEnv.FAIRLEAD_LISTEN=0.0.0.0:80'],
    'extraEnv must not set FAIRLEAD_LISTEN',
  ],
  [
    'an address of the database beside the secret',
    [...SOUND, '--set', 'extraEnv.DATABASE_URL=postgres://a'],
    'extraEnv must not set DATABASE_URL',
  ],
  ['a strategy of another kind', [...SOUND, '--set', 'strategy=canary'], 'strategy'],
  [
    'a route that belongs to no gateway',
    [...SOUND, '--set', 'route.enabled=true'],
    'route.parentRefs is needed',
  ],
  ['an Ingress without a host', ['--set', 'replicas=1,ingress.enabled=true'], 'publicUrl is needed'],
  [
    'a number of replicas that follows the load without a shared database',
    ['--set', 'replicas=1,autoscaling.enabled=true'],
    'more than one replica needs a database',
  ],
  [
    'at most fewer replicas than at least',
    [...SOUND, '--set', 'autoscaling.enabled=true,autoscaling.minReplicas=5,autoscaling.maxReplicas=4'],
    'autoscaling.maxReplicas must not be less',
  ],
  ['a digest that is none', [...SOUND, '--set', 'image.digest=sha256:abc'], 'digest'],
  ['a direct address alone', ['--set', 'replicas=1,database.directUrl=postgres://a'], 'needs database.url'],
  ['a pooler of another mode', [...SOUND, '--set', 'database.pooler=session'], 'pooler'],
  ['no public address', [...SOUND, '--set', 'publicUrl='], 'publicUrl is needed'],
  ['a public address with a path', [...SOUND, '--set', 'publicUrl=https://hub.example.com/hub'], 'publicUrl'],
  [
    'a grace below the deadline and 15 s',
    [...SOUND, '--set', 'terminationGracePeriodSeconds=74'],
    'terminationGracePeriodSeconds must be',
  ],
  [
    'a linger as long as the deadline',
    [...SOUND, '--set', 'drain.lingerSeconds=60'],
    'drain.lingerSeconds must be',
  ],
  [
    'a job that has no database to go to',
    ['--set', 'replicas=1,history.retention=job'],
    'history.retention job needs a database',
  ],
  ['a history shorter than a command may live', [...SOUND, '--set', 'history.days=7'], 'days'],
  ['a retention of another kind', [...SOUND, '--set', 'history.retention=on'], 'retention'],
  ['a value that nobody reads', [...SOUND, '--set', 'replicaCount=3'], 'replicaCount'],
  ['a value that nobody reads, further down', [...SOUND, '--set', 'drain.deadline=3'], 'deadline'],
];
