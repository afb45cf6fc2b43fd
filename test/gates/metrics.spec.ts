import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CATALOGUE, type Catalogue } from '../../scripts/metrics/catalogue.js';
import { faultsBetween } from '../../scripts/metrics/comparison.js';
import { readExposition } from '../../scripts/metrics/exposition.js';
import { metricsPage, MetricsDiffer } from '../../scripts/metrics/page.js';
import { scrapeRunningHub } from '../../scripts/metrics/running-hub.js';
import { PROGRAMS } from '../broker/support/built.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { built } from './support/built.js';
import { run } from './support/program.js';
import { Tree } from './support/tree.js';

const FILE = 'docs/metrics.md';

describe('the gate on metrics', () => {
  let database: TestDatabase;
  let text: string;

  beforeAll(async () => {
    database = await createDatabase({ migrated: false });
    const scraped = await createDatabase();
    text = await scrapeRunningHub(scraped.url, PROGRAMS);
    await scraped.drop();
  }, 180_000);

  afterAll(() => database.drop());

  /** What the catalogue says of the hub's text, after it was changed. */
  const faultsOf = (change: (text: string) => string, catalogue: Catalogue = CATALOGUE) => {
    const changed = change(text);
    return faultsBetween(catalogue, readExposition(changed), 'linux');
  };

  it('passes what a hub exports', () => {
    expect(faultsBetween(CATALOGUE, readExposition(text))).toEqual([]);
  });

  it.each<[string, (text: string) => string, string]>([
    [
      'a metric that the catalogue does not know',
      (all) => `${all}\n# HELP fairlead_extra Extra.\n# TYPE fairlead_extra gauge\nfairlead_extra 1\n`,
      'fairlead_extra is exported, and the catalogue does not know it',
    ],
    [
      'a metric that is gone',
      (all) => all.replace(/^.*\bfairlead_replica_may_act\b.*$/gm, ''),
      'fairlead_replica_may_act is in the catalogue, and not exported',
    ],
    [
      'another type',
      (all) => all.replace('fairlead_dispatches_unacked gauge', 'fairlead_dispatches_unacked counter'),
      'fairlead_dispatches_unacked is a counter; the catalogue says gauge',
    ],
    [
      'a label that is new',
      (all) => all.replace(/^fairlead_brokers_connected /m, 'fairlead_brokers_connected{broker="b"} '),
      'fairlead_brokers_connected has the labels (broker); the catalogue says ()',
    ],
    [
      'a label that is gone',
      (all) => all.replace(/^(fairlead_dispatches_ended_total\{.*),outcome="expired"/m, '$1'),
      'fairlead_dispatches_ended_total has the labels (lane, op); the catalogue says (lane, op, outcome)',
    ],
    [
      'a value of a label that nothing bounds',
      (all) => all.replace('ended_total{op="broker.ping"', 'ended_total{op="0198b2"'),
      'fairlead_dispatches_ended_total has op 0198b2, beyond its bounds',
    ],
    [
      'a metric of which no value was seen',
      (all) => all.replace(/^fairlead_dispatches_ended_total\{.*$/gm, ''),
      'fairlead_dispatches_ended_total was exported without a value',
    ],
  ])('fires on %s', (_fault, change, fault) => {
    expect(faultsOf(change)).toEqual([fault]);
    expect(() => metricsPage(CATALOGUE, change(text))).toThrow(new MetricsDiffer([fault]));
  });

  it('fires on a metric of which the catalogue alone tells', () => {
    const own = { ...CATALOGUE.own, fairlead_planned: { type: 'gauge', unit: '1' } } as const;

    expect(faultsOf((all) => all, { ...CATALOGUE, own })).toEqual([
      'fairlead_planned is in the catalogue, and not exported',
    ]);
  });

  it('expects what Linux alone exports nowhere else', () => {
    const exported = readExposition(text.replace(/^.*\bfairlead_process_open_fds\b.*$/gm, ''));

    expect(faultsBetween(CATALOGUE, exported, 'linux')).toHaveLength(1);
    expect(faultsBetween(CATALOGUE, exported, 'darwin')).toEqual([]);
  });

  describe('on its page', () => {
    async function check(content: string) {
      const tree = new Tree({ [FILE]: content });
      try {
        return await run(built('scripts/metrics.js'), ['--check'], {
          cwd: tree.path,
          env: { DATABASE_URL: database.url },
        });
      } finally {
        tree.remove();
      }
    }

    it('passes what is committed', async () => {
      const { code, err } = await check(readFileSync(FILE, 'utf8'));

      expect(err).toBe('');
      expect(code).toBe(0);
    }, 120_000);

    it.each<[string, (page: string) => string]>([
      [
        'a metric that no hub exports',
        (page) => page.replace('## Of the process', '| `fairlead_extra` |\n$&'),
      ],
      ['a metric that is missing', (page) => page.replace(/^\| `fairlead_wake_by_notify`.*\n/m, '')],
      [
        'another type',
        (page) => page.replace('`fairlead_loop_faults` | gauge', '`fairlead_loop_faults` | counter'),
      ],
      ['another label', (page) => page.replace('`op`: ', '`command`: ')],
    ])('differs by %s from what is made', (_fault, change) => {
      const page = readFileSync(FILE, 'utf8');
      const made = metricsPage(CATALOGUE, text);

      expect([page === made, change(page) === made]).toEqual([true, false]);
    });

    it('fires on a difference', async () => {
      const page = readFileSync(FILE, 'utf8');

      const { code, err } = await check(page.replace('`op`: ', '`command`: '));

      expect(code).toBe(1);
      expect(err).toContain(`${FILE}:`);
      expect(err).toContain('npm run metrics:write');
    }, 120_000);
  });
});
