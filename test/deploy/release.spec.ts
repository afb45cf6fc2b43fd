import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { Bench, jobOf, jobsOf, type Answer } from './support/steps.js';

const WORKFLOW = '.github/workflows/release.yml';
const HOME = 'github.com/fairlead/fairlead';
const IMAGE = 'ghcr.io/fairlead/fairlead';
const CHARTS = 'oci://ghcr.io/fairlead/charts';
const textOf = (path: string) => readFileSync(path, 'utf8');

describe('a release', () => {
  let bench: Bench;

  beforeEach(() => {
    bench = new Bench();
    for (const name of ['npm', 'node', 'gh', 'sleep']) bench.program(name);
    // What is waited for is asked for once.
    bench.program('seq', ['60', '1']);
  });

  afterEach(() => bench.remove());

  const run = (job: string, tag: string, env: Record<string, string> = {}) =>
    bench.run(jobOf(WORKFLOW, job), { GITHUB_REF_NAME: tag, GITHUB_ACTOR: 'somebody', IMAGE, ...env });

  it('publishes the package, which cannot be taken back, when the images and the chart are there', () => {
    const { built, image, chart, package: published, notes } = jobsOf(WORKFLOW);

    expect(built?.needs).toBe('check');
    expect(image?.needs).toBe('built');
    expect(chart?.needs).toEqual(['check', 'image']);
    expect(published?.needs).toEqual(['check', 'image', 'chart']);
    expect(notes?.needs).toEqual(['package', 'image', 'chart']);
  });

  it('is the newest one for npm and on the page of releases where its version is final', () => {
    expect(run('package', 'v1.2.3').asked.at(-1)).toBe('npm publish --provenance --access public');
    expect(run('notes', 'v1.2.3').asked.at(-1)).toBe(
      'gh release create v1.2.3 --title v1.2.3 --notes-file notes.md --verify-tag fairlead-1.2.3.cdx.json',
    );
  });

  it('is called what it is where its version is not final, which npm refuses to call the newest', () => {
    expect(run('package', 'v1.2.3-rc.1').asked.at(-1)).toBe(
      'npm publish --provenance --access public --tag next',
    );
    expect(run('notes', 'v1.2.3-rc.1').asked.at(-1)).toBe(
      'gh release create v1.2.3-rc.1 --title v1.2.3-rc.1 --notes-file notes.md --verify-tag --prerelease fairlead-1.2.3-rc.1.cdx.json',
    );
  });

  describe('of images', () => {
    const GOOD: Answer[] = [
      ['--version', '1.2.3'],
      ['inspect', 'healthy'],
    ];
    const onArm = { PLATFORM: 'arm64' };
    const pushesIn = (asked: string[]) => asked.filter((line) => line.startsWith('docker push'));

    it('builds each on a machine of its kind', () => {
      const { strategy, 'runs-on': machine } = jobOf(WORKFLOW, 'built');

      expect(strategy?.matrix.include).toEqual([
        { platform: 'amd64', machine: 'ubuntu-latest' },
        { platform: 'arm64', machine: 'ubuntu-24.04-arm' },
      ]);
      expect(machine).toBe('${{ matrix.machine }}');
    });

    it('pushes what has said its version, has taken an environment, and became a healthy hub', () => {
      bench.program('docker', ...GOOD);

      const { succeeded, asked } = run('built', 'v1.2.3', onArm);

      expect(succeeded).toBe(true);
      expect(pushesIn(asked)).toEqual([
        `docker push ${IMAGE}:1.2.3-arm64`,
        `docker push ${IMAGE}:1.2.3-trial-arm64`,
      ]);
    });

    it.each<[what: string, answers: Answer[]]>([
      ['is of another version', [['--version', '1.2.2'], ...GOOD]],
      ['does not run', [['--version', null], ...GOOD]],
      ['refuses an environment', [['hub check', null], ...GOOD]],
      ['does not become healthy', [['inspect', 'unhealthy'], ...GOOD]],
    ])('pushes nothing that %s', (_what, answers) => {
      bench.program('docker', ...answers);

      const { succeeded, asked } = run('built', 'v1.2.3', onArm);

      expect(succeeded).toBe(false);
      expect(pushesIn(asked)).toEqual([]);
    });

    it('gives those of both kinds of machines one name', () => {
      bench.program('docker');

      const { succeeded, asked } = run('image', 'v1.2.3');

      expect(succeeded).toBe(true);
      expect(asked.slice(1)).toEqual(
        ['1.2.3', '1.2.3-trial'].map(
          (tag) =>
            `docker buildx imagetools create --tag ${IMAGE}:${tag} ${IMAGE}:${tag}-amd64 ${IMAGE}:${tag}-arm64`,
        ),
      );
    });
  });

  describe('of notes', () => {
    const notes = (tag: string, env: Record<string, string> = {}) =>
      spawnSync(process.execPath, ['scripts/release.mjs', 'notes', tag], { encoding: 'utf8', env });

    it('is refused for a tag that package, chart and changelog do not have', () => {
      const { status, stderr } = notes('v99.0.0');

      expect(status).toBe(1);
      expect(stderr.split('\n')).toEqual([
        'package.json is not 99.0.0',
        'package-lock.json is not 99.0.0',
        'the version of Chart.yaml is not 99.0.0',
        'the appVersion of Chart.yaml is not 99.0.0',
        'the heading of CHANGELOG.md is not 99.0.0',
        '',
      ]);
    });

    it('is refused in a repository whose package npm would refuse', () => {
      const { version } = JSON.parse(textOf('package.json')) as { version: string };
      const fault = (repository: string) => notes(`v${version}`, { GITHUB_REPOSITORY: repository }).stderr;

      expect(fault('somebody/fairlead')).toContain(
        'the repository of package.json is not somebody/fairlead\n',
      );
      expect(fault('fairlead/fairlead')).not.toContain('repository');
    });

    it.each(['main', 'v1', 'v1.2', 'v1.2.3-', 'v1.2.3-rc_1'])(
      'is refused for %s, which is no version',
      (tag) => {
        expect(notes(tag).status).toBe(2);
      },
    );
  });
});

describe('the home of the project', () => {
  const chart = parse(textOf('helm/fairlead/Chart.yaml')) as { home: string; sources: string[] };
  const values = parse(textOf('helm/fairlead/values.yaml')) as { image: { repository: string } };

  it('is what npm compares with the repository that publishes', () => {
    const { repository } = JSON.parse(textOf('package.json')) as { repository: unknown };

    expect(repository).toEqual({ type: 'git', url: `git+https://${HOME}.git` });
  });

  it('is told by the chart and by the image', () => {
    expect([chart.home, ...chart.sources]).toEqual([`https://${HOME}`, `https://${HOME}`]);
    expect(textOf('Dockerfile')).toContain(`org.opencontainers.image.source="https://${HOME}"`);
  });

  it('has the image that the chart asks for, and the chart that the documents name', () => {
    expect(values.image.repository).toBe(IMAGE);
    for (const page of ['docs/install.md', 'docs/operations.md', 'helm/fairlead/README.md'])
      expect({ page, isNamed: textOf(page).includes(`${CHARTS}/fairlead`) }).toEqual({ page, isNamed: true });
    expect(textOf('docs/install.md')).toContain(IMAGE);
  });

  it('is where alerts lead to', () => {
    const [link] =
      /https:\/\/github\.com\/[\w-]+\/[\w-]+/.exec(textOf('helm/fairlead/alerts/FairleadAbsent.yaml')) ?? [];

    expect(link).toBe(`https://${HOME}`);
  });
});
