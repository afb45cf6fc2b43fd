import { describe, expect, it } from '@jest/globals';
import { read, render, type Manifest } from '../../scripts/chart/helm.js';
import { readValues, strayValues } from '../../scripts/chart/values.js';

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
    const secret = annotationsWith('--set-string', `clusterSecret=${'7d1c'.repeat(16)}`);
    const setting = annotationsWith('--set', 'drain.deadlineSeconds=45');

    expect(same).toEqual(before);
    expect(secret['checksum/secret']).not.toBe(before['checksum/secret']);
    expect(setting['checksum/config']).not.toBe(before['checksum/config']);
  });
});

describe('the page of the values', () => {
  const SOUND = [
    '# How many.',
    '# @schema {"type":"integer"}',
    'count: 2',
    '',
    'group:',
    '  # A part,',
    '  # told on two lines.',
    '  # @schema {"type":"object"}',
    '  part:',
    '    held: by the value itself',
  ].join('\n');

  it('has a paragraph, a kind and a default for each value, also in a group', () => {
    const { values, faults } = readValues(SOUND);

    expect(faults).toEqual([]);
    expect(values).toEqual([
      { path: 'count', paragraph: 'How many.', schema: { type: 'integer' }, default: 2 },
      {
        path: 'group.part',
        paragraph: 'A part, told on two lines.',
        schema: { type: 'object' },
        default: { held: 'by the value itself' },
      },
    ]);
  });

  it.each([
    ['without a kind', '# How many.\ncount: 2', 'values.yaml:2: nothing says what count may be'],
    ['without a paragraph', '# @schema {}\ncount: 2', 'values.yaml:2: no paragraph explains count'],
    ['in a group without a kind', 'group:\n  part: 1', 'values.yaml:2: nothing says what group.part may be'],
  ])('takes no value %s', (_, text, fault) => {
    expect(readValues(text).faults).toEqual([fault]);
  });

  it('takes no value that no template reads, and no template that reads what is no value', () => {
    const { values } = readValues(SOUND);

    const faults = strayValues(
      values,
      new Map([['a.yaml', '{{ .Values.count }} {{ .Values.group.other }}']]),
    );

    expect(faults).toEqual(['no template reads group.part', 'a.yaml reads group.other, which is no value']);
  });
});
