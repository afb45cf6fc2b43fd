import { EXAMPLE_KEY } from '../../src/hub/config/seal-keys.js';
import { CHART, render } from './helm.js';

const SOUND = ['--values', `${CHART}/ci/database-values.yaml`];
const SECRET = ['--values', `${CHART}/ci/existing-secret-values.yaml`];

/** Values that must not render, and a part of what is said about them. */
const REFUSED: [claim: string, values: string[], said: string][] = [
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
    'a previous cluster secret alone',
    ['--set', 'replicas=1', '--set-string', `clusterSecretPrevious=${'7d'.repeat(32)}`],
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

/** What the chart renders although it cannot work. */
export function guardFaults(): string[] {
  return REFUSED.flatMap(([claim, values, said]) => {
    const { succeeded, err } = render(...values);
    if (succeeded) return [`renders ${claim}`];
    return err.includes(said) ? [] : [`refuses ${claim} with other words: ${err.trim()}`];
  });
}
