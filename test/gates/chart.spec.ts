import { describe, expect, it } from '@jest/globals';
import { read, render, type Manifest } from '../../scripts/chart/helm.js';

type Deployment = Manifest & {
  spec: { template: { metadata: { annotations: Record<string, string> } } };
};

/** The annotations of the pods, which start anew where these change. */
function annotationsWith(...values: string[]): Record<string, string> {
  const { out, err } = render('--values', 'helm/fairlead/ci/database-values.yaml', ...values);
  const deployment = read(out).find(({ kind }) => kind === 'Deployment') as Deployment | undefined;
  if (deployment === undefined) throw new Error(err);
  return deployment.spec.template.metadata.annotations;
}

describe('the pods of the chart', () => {
  it('start anew where a secret or a setting changes, which they read once, and not otherwise', () => {
    const before = annotationsWith();

    const same = annotationsWith();
    const secret = annotationsWith('--set-string', `clusterSecret=${'7d'.repeat(32)}`);
    const setting = annotationsWith('--set', 'drain.deadlineSeconds=45');

    expect(same).toEqual(before);
    expect(secret['checksum/secret']).not.toBe(before['checksum/secret']);
    expect(setting['checksum/config']).not.toBe(before['checksum/config']);
  });
});
