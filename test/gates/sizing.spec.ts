import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { SCENARIOS } from '../../scripts/sizing/run.js';
import { built } from './support/built.js';
import { run } from './support/program.js';
import { Tree } from './support/tree.js';

const PAGE = 'docs/operations.md';
const PLACE =
  '# Sizes\n\n<!-- sizing: made by npm run sizing:write -->\n\n<!-- sizing: end -->\n\nThe rest.\n';
const MADE = {
  isQuick: false,
  measuredAt: '2026-11-28T09:00:00.000Z',
  commit: 'abc1234',
  machine: { cpu: 'a processor', cores: 2, node: 'v20.20.2', postgres: '18.4' },
};
const BROKERS = {
  ...MADE,
  scenario: 'brokers',
  rows: [{ size: 10_000, fairleadRss: { median: 40_960, low: 38_912, high: 43_008 } }],
  statements: [{ brokers: 100, perSecond: [12, 14, 13.5], median: 13.5 }],
};
const STORM = { ...MADE, scenario: 'storm', brokers: 10_000, ownedMs: 21_400, apiP99Ms: 412.3 };
const HTTP = {
  ...MADE,
  scenario: 'http',
  rows: ['fairlead http', 'bare route'].map((side) => ({
    side,
    inFlight: 256,
    p50Ms: 80.1,
    p99Ms: 190,
    perSecondSpread: { median: 3_100.4, low: 2_900, high: 3_300 },
  })),
};

describe('the gate on sizes', () => {
  async function sizing(files: Record<string, string>, ...args: string[]) {
    const tree = new Tree(files);
    try {
      const outcome = await run(built('scripts/sizing.js'), args, { cwd: tree.path });
      return { ...outcome, page: readFileSync(`${tree.path}/${PAGE}`, 'utf8') };
    } finally {
      tree.remove();
    }
  }
  const kept = (run: object, scenario: string) => ({
    [`bench/results/${scenario}.json`]: JSON.stringify(run),
  });
  const committed = () => ({
    [PAGE]: readFileSync(PAGE, 'utf8'),
    ...Object.fromEntries(
      SCENARIOS.map((scenario) => `bench/results/${scenario}.json`)
        .filter((path) => existsSync(path))
        .map((path) => [path, readFileSync(path, 'utf8')]),
    ),
  });

  it('passes what is committed', async () => {
    expect(await sizing(committed(), '--check')).toMatchObject({ code: 0, err: '' });
  });

  it('fires on a figure that no run has', async () => {
    const files = committed();
    const changed = (files[PAGE] ?? '').replace(/\| commands a second, .*? \|/, '$& 1');

    const { code, err } = await sizing({ ...files, [PAGE]: changed }, '--check');

    expect(changed).not.toBe(files[PAGE]);
    expect(code).toBe(1);
    expect(err).toContain('npm run sizing:write');
  });

  it('tells what was measured, where and when, and leaves the rest of the page', async () => {
    const { code, page } = await sizing({
      [PAGE]: PLACE,
      ...kept(BROKERS, 'brokers'),
      ...kept(STORM, 'storm'),
      ...kept(HTTP, 'http'),
    });

    const cells = page.split('\n').map((line) => line.replace(/ +\|/g, ' |'));
    expect(code).toBe(0);
    expect(cells).toEqual(
      expect.arrayContaining([
        '| memory of a replica for each of 10,000 idle brokers | 40 (38 to 42) KiB; 391 MiB together | `brokers` |',
        '| transactions a second of a hub with 100 idle brokers | 13.5 (12 to 14) | `brokers` |',
        '| all of 10,000 brokers owned again after their replica was killed | 21.4 s; p99 of the API meanwhile 412 ms | `storm` |',
        '| commands a second through the public API, 256 in flight | 3,100 (2,900 to 3,300); p50 80.1 ms, p99 190 ms | `http` |',
        '- `http`: 2 cores of a processor, Node 20.20.2, PostgreSQL 18.4, on 2026-11-28, commit abc1234',
      ]),
    );
    expect(page.startsWith('# Sizes\n\n')).toBe(true);
    expect(page.endsWith('<!-- sizing: end -->\n\nThe rest.\n')).toBe(true);
  });

  it('says plainly what nobody has measured', async () => {
    const { page } = await sizing({ [PAGE]: PLACE });

    const lines = page.split('\n').filter((line) => line.includes('no accepted run is kept'));
    expect(lines).toHaveLength(5);
    expect(page).not.toMatch(/\| \d/);
  });

  it.each<[string, object]>([
    ['a quick run', { ...HTTP, isQuick: true }],
    ['a run of another scenario', BROKERS],
    ['a run that does not say when it was made', { ...HTTP, measuredAt: undefined }],
    ['a run that does not say on which machine it was made', { ...HTTP, machine: undefined }],
  ])('takes no figures of %s', async (_case, refused) => {
    const { code, err, page } = await sizing({ [PAGE]: PLACE, ...kept(refused, 'http') });

    expect(code).not.toBe(0);
    expect(err).toContain('bench/results/http.json');
    expect(page).toBe(PLACE);
  });

  it('fires on a page without a place for it', async () => {
    expect((await sizing({ [PAGE]: '# Sizes\n' }, '--check')).code).not.toBe(0);
  });
});
