import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { choose, coveringSet, filterOf, nameOf, product, VALUES } from '../../scripts/matrix/cells.js';
import { archiveOf, cacheFolder, type Download } from '../../scripts/matrix/fetch.js';
import { readOptions } from '../../scripts/matrix/options.js';
import { NODES, POSTGRES } from '../../scripts/matrix/pins.js';
import { QUICK_SPECS } from '../../scripts/matrix/quick.js';
import { Report } from '../../scripts/matrix/report.js';
import { Round } from '../../scripts/matrix/round.js';
import { endStragglers } from '../../scripts/matrix/stragglers.js';
import { judged, type JestReport } from '../../scripts/matrix/suite.js';
import { built } from './support/built.js';
import { run } from './support/program.js';

/** The names of the cells that these arguments choose, for somebody who starts them as root. */
function chosen(...args: string[]): string[] {
  return choose({ ...readOptions(args), starter: 'root' }).map(nameOf);
}

describe('the cells of the matrix', () => {
  it.each(['root', 'ordinary'] as const)('have every value, where %s starts it', (starter) => {
    const cells = coveringSet(starter);

    const values = Object.keys(VALUES).map(
      (name) => new Set(cells.map((cell) => cell[name as keyof typeof VALUES])),
    );

    expect(values.map((each) => [...each].sort())).toEqual(Object.values(VALUES));
  });

  it('differ from the newest of all in one value at most, so that a failure names its cause', () => {
    expect(chosen()).toEqual([
      'pg15-node24-root',
      'pg16-node24-root',
      'pg17-node24-root',
      'pg18-node24-root',
      'pg18-node20-root',
      'pg18-node22-root',
      'pg18-node24-ordinary',
    ]);
  });

  it('need another user than the one that starts it once alone', () => {
    expect(coveringSet('ordinary').filter(({ user }) => user === 'root')).toHaveLength(1);
  });

  it('are all there are, where all are asked for', () => {
    expect(new Set(chosen('--all')).size).toBe(4 * 3 * 2);
  });

  it.each([
    ['one value', ['--only', 'pg=16'], ['pg16-node24-root']],
    ['values of two kinds', ['--only', 'node=20,user=root'], ['pg18-node20-root']],
    [
      'two values of one kind',
      ['--only', 'pg=15', '--only', 'pg=17'],
      ['pg15-node24-root', 'pg17-node24-root'],
    ],
    ['a combination of the product', ['--only', 'pg=15,node=20,user=root'], ['pg15-node20-root']],
    ['some of all', ['--all', '--only', 'pg=15,node=20'], ['pg15-node20-ordinary', 'pg15-node20-root']],
  ])('are narrowed by %s', (_what, args, names) => {
    expect(chosen(...args)).toEqual(names);
  });

  it('are each found again by the filter that is made of them', () => {
    for (const cell of product()) expect(chosen('--only', filterOf(cell))).toEqual([nameOf(cell)]);
  });

  it.each([
    ['a version that is not among them', 'pg=14', 'pg=15|16|17|18, and not "pg=14"'],
    ['a name that is none of theirs', 'postgres=16', 'pg, node, user, and not "postgres=16"'],
    ['a name that every object has', 'toString=16', 'pg, node, user, and not "toString=16"'],
    ['a name without a value', 'node', 'node=20|22|24, and not "node"'],
    ['nothing', '', 'pg, node, user, and not ""'],
  ])('are not chosen by %s', (_what, filter, message) => {
    expect(() => readOptions(['--only', filter])).toThrow(`--only knows ${message}`);
  });

  it.each([
    ['--only', 'pg=14'],
    ['--quik', ''],
  ])('are none, with how it is used, where %s %s is asked for', async (...args) => {
    const { code, out, err } = await run(built('scripts/matrix/main.js'), args);

    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('usage: npm run test:matrix');
  });

  it('are those that the workflow runs, each in a job of its own', () => {
    const workflow = readFileSync('.github/workflows/ci.yml', 'utf8');

    const filters = [...workflow.matchAll(/^ +- (pg=\S+)$/gm)].map(([, filter]) => filter);

    expect(filters).toEqual(coveringSet('root').map(filterOf));
  });

  it('have files for their quick run', () => {
    expect(QUICK_SPECS.filter((spec) => !existsSync(spec))).toEqual([]);
  });

  it.each([
    ['are left out, with the reason, and prove nothing', {}, 'left out'],
    ['fail in CI', { CI: 'true' }, 'failed'],
  ])('%s, where they need root and it was not root that started them', async (_claim, env, state) => {
    const out = new PassThrough();
    const options = readOptions(['--only', 'pg=18,node=24,user=root']);
    const { signal } = new AbortController();

    const outcome = await new Round(options, new Report(out), signal, 'ordinary', env).run();

    out.end();
    expect(outcome).toMatchObject({ ok: false, cells: [{ state, faults: ['root alone can run it'] }] });
    expect(await text(out)).toContain('root alone can run it');
  });
});

describe('what is made of the report of a cell', () => {
  const sound: JestReport = {
    numPassedTests: 2,
    numFailedTests: 0,
    numPendingTests: 1,
    numTodoTests: 1,
    testResults: [{ name: 'a.spec.ts', status: 'passed', message: '', assertionResults: [] }],
  };
  const failed: JestReport = {
    ...sound,
    numFailedTests: 1,
    testResults: [
      {
        name: 'a.spec.ts',
        status: 'failed',
        message: 'long',
        assertionResults: [
          { fullName: 'a hub wakes', status: 'failed' },
          { fullName: 'a hub sleeps', status: 'passed' },
        ],
      },
    ],
  };
  const unloaded: JestReport = {
    ...sound,
    testResults: [
      { name: 'b.spec.ts', status: 'failed', message: 'no such module\nat b', assertionResults: [] },
    ],
  };

  it('is sound where Jest ended well', () => {
    expect(judged(sound, undefined)).toEqual({ passed: 2, failed: 0, skipped: 2, faults: [] });
  });

  it.each([
    ['a test that failed', failed, 'Jest ended with 1', ['a hub wakes']],
    ['a file that could not be loaded', unloaded, 'Jest ended with 1', ['b.spec.ts: no such module']],
    ['an exit code that nothing explains', sound, 'Jest ended with 1', ['Jest ended with 1']],
    ['an interruption', failed, 'it was interrupted', ['a hub wakes', 'it was interrupted']],
    ['a run without a test', { ...sound, numPassedTests: 0 }, undefined, ['no test passed']],
  ])('has a fault where there is %s', (_what, report, ending, faults) => {
    expect(judged(report, ending).faults).toEqual(faults);
  });
});

describe('the programs of the matrix', () => {
  const BYTES = 'what was pinned';
  const pin = {
    package: '@scope/programs',
    version: '1.2.3',
    integrity: `sha512-${createHash('sha512').update(BYTES).digest('base64')}`,
  };
  let cache: string;
  let downloads: number;

  beforeEach(() => {
    cache = mkdtempSync(join(tmpdir(), 'fairlead-matrix-cache-'));
    downloads = 0;
  });

  afterEach(() => rmSync(cache, { recursive: true, force: true }));

  const giving =
    (bytes: string): Download =>
    (_pin, folder) => {
      downloads += 1;
      writeFileSync(join(folder, 'archive.tgz'), bytes);
      return Promise.resolve();
    };

  it('are fetched once', async () => {
    const archive = await archiveOf(pin, cache, giving(BYTES));

    expect(await archiveOf(pin, cache, giving(BYTES))).toBe(archive);
    expect(readFileSync(archive, 'utf8')).toBe(BYTES);
    expect(downloads).toBe(1);
  });

  it('are refused, and not kept, where they are not those that were pinned', async () => {
    await expect(archiveOf(pin, cache, giving('something else'))).rejects.toThrow(
      '@scope/programs 1.2.3 is not the package that was pinned',
    );

    expect(readdirSync(cache)).toEqual([]);
  });

  it('are fetched anew where those in the cache were damaged', async () => {
    const archive = await archiveOf(pin, cache, giving(BYTES));
    writeFileSync(archive, BYTES.slice(1));

    await archiveOf(pin, cache, giving(BYTES));

    expect(readFileSync(archive, 'utf8')).toBe(BYTES);
    expect(downloads).toBe(2);
  });

  it('are kept where the environment says', () => {
    expect(cacheFolder({ FAIRLEAD_MATRIX_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
    expect(cacheFolder({ FAIRLEAD_MATRIX_CACHE: '', XDG_CACHE_HOME: '/b' })).toBe('/b/fairlead-matrix');
  });

  it.each(Object.entries({ ...POSTGRES }))('are PostgreSQL %s where it says so', (major, { version }) => {
    expect(version).toMatch(new RegExp(`^${major}\\.\\d+\\.0-`));
  });

  it('have the PostgreSQL that the project installs, and the oldest Node that it promises', () => {
    const { optionalDependencies, engines } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      optionalDependencies: Record<string, string>;
      engines: { node: string };
    };

    expect(POSTGRES['18'].version).toBe(optionalDependencies[POSTGRES['18'].package]);
    expect(`>=${NODES['20'].version}`).toBe(engines.node);
  });
});

/** The matrix runs on Linux alone. */
const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('what a cell leaves behind', () => {
  const started: ChildProcess[] = [];
  const folders: string[] = [];

  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  function folderIn(parent: string): string {
    const folder = mkdtempSync(join(parent, 'fairlead-straggler-'));
    folders.push(folder);
    return folder;
  }

  /** A process with a PATH that begins with a folder's programs. */
  async function sleeper(folder: string, cwd: string): Promise<ChildProcess> {
    const child = spawn('/bin/sh', ['-c', 'echo up; exec sleep 60'], {
      env: { PATH: `${folder}/bin:/usr/bin:/bin` },
      cwd,
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    started.push(child);
    await once(child.stdout, 'data');
    return child;
  }

  it('is ended by the folder in its environment, with the database that it works in, and nothing else is', async () => {
    const stage = folderIn(tmpdir());
    const [database, othersDatabase] = [folderIn('/dev/shm'), folderIn('/dev/shm')];
    const mine = await sleeper(stage, database);
    const others = await sleeper(`${stage}-not`, othersDatabase);
    const ended = once(mine, 'exit');

    const count = await endStragglers(stage);

    expect(count).toBe(1);
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(others.exitCode ?? others.signalCode).toBeNull();
    expect([database, othersDatabase].map((folder) => existsSync(folder))).toEqual([false, true]);
  });
});
