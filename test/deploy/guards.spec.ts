import { describe, expect, it } from '@jest/globals';
import { REFUSED } from '../../scripts/chart/guards.js';
import { rendering, setOf } from './support/rendering.js';

/** What is just on the right side of each guard. */
const TAKEN: [claim: string, values: string[]][] = [
  ['one replica without a shared database', ['--set', 'replicas=1']],
  ['a key in capitals', ['--set-string', `sealKeys=${'7D1C'.repeat(16)}`]],
  ['several keys', ['--set-string', `sealKeys=${'7d1c'.repeat(16)}\\,${'3b5a'.repeat(16)}`]],
  [
    'several secrets of sessions',
    ['--set-string', `sessionSecrets=${'7d1c'.repeat(16)}\\,${'3b5a'.repeat(16)}`],
  ],
  [
    'a previous cluster secret that is another one',
    ['--set-string', `clusterSecretPrevious=${'7d1c'.repeat(16)}`],
  ],
  [
    'a provider of sign-ins with its client',
    ['--set', 'oidc.issuer=https://a,oidc.clientId=b,oidc.clientSecret=c'],
  ],
  ["an operator's secret in the place of the address", ['--set', 'database.url=,database.existingSecret=a']],
  [
    "a direct address beside an operator's secret",
    ['--set', 'database.url=,database.existingSecret=a,database.directUrl=postgres://a'],
  ],
  [
    'TLS between replicas that leaves the metrics open, for as long as both are taken',
    ['--set', 'internalTls.mode=accept,internalTls.secret=a,serviceMonitor.enabled=true'],
  ],
  [
    'as many brokers for each replica as it hands over within its deadline',
    ['--set', 'autoscaling.enabled=true,autoscaling.brokersPerReplica=10000'],
  ],
  ['more brokers than that where nobody scales', ['--set', 'autoscaling.brokersPerReplica=10001']],
  [
    "callers' addresses kept by a balancer of some kind",
    [
      '--set',
      'service.type=LoadBalancer,service.externalTrafficPolicy=Local,service.loadBalancerClass=example.com/a',
    ],
  ],
  ['a grace of the deadline and 15 s', ['--set', 'terminationGracePeriodSeconds=75']],
  ['a linger one second less than the deadline', ['--set', 'drain.lingerSeconds=59']],
  ['a history of the least days', ['--set', 'history.days=8']],
  [
    'a database at another port that the policy has',
    ['--set', 'database.url=postgres://a:6432/b,networkPolicy.databasePorts={6432}'],
  ],
  [
    'a database at another port without a policy',
    ['--set', 'database.url=postgres://a:6432/b,networkPolicy.enabled=false'],
  ],
  ['a variable of somebody else', ['--set', 'extraEnv.FAIRLEADER=a']],
  ['a route of a gateway', ['--set', 'route.enabled=true,route.parentRefs[0].name=a']],
  [
    'as many replicas at least as at most',
    ['--set', 'autoscaling.enabled=true,autoscaling.minReplicas=4,autoscaling.maxReplicas=4'],
  ],
];

describe('the chart', () => {
  it.each(REFUSED)('refuses %s', (_, values, said) => {
    const { succeeded, err } = rendering(...values);

    expect(succeeded).toBe(false);
    expect(err).toContain(said);
  });

  it.each(TAKEN)('takes %s', (_, values) => {
    const base = values.includes('replicas=1') ? [] : setOf('database');

    expect(rendering(...base, ...values).err).toBe('');
  });
});
