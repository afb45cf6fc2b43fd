import { describe, expect, it } from '@jest/globals';
import { ALERTS, alertFile } from '../../scripts/alerts/alerts.js';
import { strangersIn } from '../../scripts/alerts/names.js';
import { runbookFaults } from '../../scripts/alerts/runbooks.js';
import { queriesOf } from '../../scripts/dashboards/dashboards.js';
import { CATALOGUE } from '../../scripts/metrics/catalogue.js';
import { built } from './support/built.js';
import { run } from './support/program.js';
import { Tree } from './support/tree.js';

describe('the gate on alerts and dashboards', () => {
  const faultsOf = (query: string) => strangersIn(query, CATALOGUE);

  it('passes all that the chart has', () => {
    const queries = [
      ...Object.values(ALERTS).map(({ expr }) => expr),
      ...queriesOf().map(({ query }) => query),
    ];

    expect(queries.flatMap(faultsOf)).toEqual([]);
  });

  it.each<[string, string, string]>([
    ['a metric that nobody exports', 'fairlead_nothing > 0', 'fairlead_nothing is in no catalogue'],
    ['a metric without a name of ours', 'up == 0', 'it names no metric'],
    [
      'a part of what is no histogram',
      'rate(fairlead_loop_faults_sum[5m])',
      'fairlead_loop_faults_sum is in no catalogue',
    ],
    ['a label', 'fairlead_loop_faults{loop="beat"} > 0', 'fairlead_loop_faults has no label loop'],
    [
      'a value of a label',
      'fairlead_dispatches_ended_total{outcome=~"failed|broken"} > 0',
      'fairlead_dispatches_ended_total has no outcome broken',
    ],
    ['a label to group by', 'sum by (broker) (fairlead_brokers_connected)', 'no label broker'],
    ['buckets of what is no histogram', 'sum by (le) (fairlead_brokers_connected)', 'no label le'],
  ])('fires on %s', (_fault, query, fault) => {
    expect(faultsOf(query)).toEqual([fault]);
  });

  it('knows what Prometheus adds, and the buckets of a histogram', () => {
    expect(
      faultsOf('sum by (instance, le) (rate(fairlead_canary_delay_seconds_bucket{pod=~"a.*"}[5m]))'),
    ).toEqual([]);
  });

  it('shows the traces of what the catalogue says has some, wherever times of that are shown, and of nothing else', () => {
    const traced = Object.keys(CATALOGUE.own).filter((name) => CATALOGUE.own[name]?.hasExemplars === true);

    const shown = queriesOf().filter(({ query }) => query.includes('_bucket'));

    expect(shown.filter(({ hasExemplars }) => hasExemplars)).not.toEqual([]);
    for (const { query, hasExemplars } of shown)
      expect([query, hasExemplars]).toEqual([query, traced.some((name) => query.includes(`${name}_bucket`))]);
  });

  it('fires on alerts without a runbook, runbooks without an alert, and parts that are missing', () => {
    const whole =
      '# A\n\n## Meaning\n\nIt.\n\n## Impact\n\nIt.\n\n## Diagnosis\n\nIt.\n\n## Mitigation\n\nIt.\n';
    const tree = new Tree({ 'Whole.md': whole, 'Half.md': whole.replace('## Impact\n\nIt.\n\n', '') });

    const faults = runbookFaults(['Whole', 'Half', 'Missing'], tree.path, [
      'README.md',
      'Whole.md',
      'Half.md',
      'Idle.md',
    ]);

    tree.remove();
    expect(faults).toEqual([
      'Missing has no runbook',
      'Idle is the runbook of no alert',
      'Half does not say its Impact',
    ]);
  });

  it('fires on a file that was changed by hand', async () => {
    const [name = '', alert] = Object.entries(ALERTS)[0] ?? [];
    const tree = new Tree({
      'docs/runbooks/README.md': '',
      [`helm/fairlead/alerts/${name}.yaml`]: alertFile(name, alert!).replace('for: 2m', 'for: 1h'),
    });

    const { code, err } = await run(built('scripts/alerts.js'), ['--check'], { cwd: tree.path });

    tree.remove();
    expect(code).toBe(1);
    expect(err).toContain(`${name}.yaml:7: differs`);
    expect(err).toContain('npm run alerts:write');
  });
});
