import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

/** What a program answers where its words have this in them; null: it fails. */
type Answer = [words: string, answer: string | null];

/**
 * No container engine is needed to see what a script asks of one: each program that it calls notes its words and says what it
 * is told to.
 */
describe('a script that needs containers', () => {
  let root: string;
  const place = (name: string) => join(root, name);

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'fairlead-scripts-'));
    for (const script of ['compose/show.sh', 'scripts/kind.sh']) {
      mkdirSync(dirname(place(script)), { recursive: true });
      copyFileSync(script, place(script));
    }
    mkdirSync(place('programs'));
    program('programs/sleep');
  });

  afterEach(() => rmSync(root, { recursive: true, force: true }));

  function program(path: string, ...answers: Answer[]): void {
    const cases = answers.map(([words, answer]) =>
      answer === null ? `*'${words}'*) exit 1 ;;` : `*'${words}'*) echo '${answer}' ;;`,
    );
    const lines = ['#!/bin/bash', `echo "${path.split('/').at(-1)} $*" >>'${place('asked')}'`];
    writeFileSync(place(path), [...lines, 'case "$*" in', ...cases, 'esac', ''].join('\n'), { mode: 0o755 });
  }

  function run(script: string, ...args: string[]) {
    const PATH = `${place('programs')}:${process.env.PATH}`;
    const { status, stderr } = spawnSync('bash', [place(script), ...args], {
      env: { PATH },
      encoding: 'utf8',
    });
    const asked = existsSync(place('asked'))
      ? readFileSync(place('asked'), 'utf8').trimEnd().split('\n')
      : [];
    rmSync(place('asked'), { force: true });
    return { status, stderr, asked };
  }

  /** Those with these words, in their order. */
  const withWords = (asked: string[], ...words: string[]) =>
    words.map((each) => asked.findIndex((line) => line.includes(each)));

  describe('compose/show.sh', () => {
    const LOGS: Answer = ['compose logs', 'shown once: flp_one flp_two'];
    const JOINS: Answer = ['join-tokens create', 'flj_three'];
    const ONLINE: Answer = ['brokers list', 'laptop online'];

    it('makes its secrets, keeps the tokens that it is shown, and asks through both replicas', () => {
      program('programs/docker', LOGS, JOINS, ONLINE);

      const { status, stderr, asked } = run('compose/show.sh');

      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(readFileSync(place('compose/.env'), 'utf8')).toMatch(
        /^DATABASE_PASSWORD=\w{32}\nFAIRLEAD_SEAL_KEYS=\w{64}\nFAIRLEAD_CLUSTER_SECRET=\w{64}\nFAIRLEAD_TOKEN=flp_one\nFAIRLEAD_JOIN_TOKEN=flj_three\n$/,
      );
      const order = withWords(
        asked,
        'compose build migration',
        'up --detach --wait database',
        'up --detach --wait replica-a',
        'up --detach --wait replica-b',
        'up --detach --wait balancer',
        'up --detach broker',
        'agents create hello',
        'replica-a fairlead agents restart',
        'replica-b fairlead agents restart',
        'verify',
      );
      expect(order).not.toContain(-1);
      expect(order).toEqual([...order].sort((a, b) => a - b));
      expect(asked.filter((line) => line.includes('exec'))).toEqual(
        expect.arrayContaining([expect.stringContaining('--env FAIRLEAD_TOKEN=flp_one ')]),
      );
    });

    it('makes nothing anew where it is run again', () => {
      program('programs/docker', LOGS, JOINS, ONLINE, ['agents list', 'hello running']);
      run('compose/show.sh');
      const before = readFileSync(place('compose/.env'), 'utf8');

      const { status, asked } = run('compose/show.sh');

      expect(status).toBe(0);
      expect(readFileSync(place('compose/.env'), 'utf8')).toBe(before);
      expect(withWords(asked, 'compose logs', 'join-tokens create', 'agents create')).toEqual([-1, -1, -1]);
    });

    it('says so where no token is shown, and where no broker comes', () => {
      program('programs/docker', JOINS, ONLINE);
      expect(run('compose/show.sh')).toMatchObject({ status: 1, stderr: expect.stringContaining('flp_') });

      program('programs/docker', LOGS, JOINS, ['brokers list', 'laptop offl1ne']);
      expect(run('compose/show.sh')).toMatchObject({
        status: 1,
        stderr: 'the broker does not come: laptop offl1ne\n',
      });
    });
  });

  describe('scripts/kind.sh', () => {
    const CLUSTER: Answer[] = [
      ['logs --selector', 'shown once: flp_one'],
      ['join-tokens create', 'flj_two'],
      ['get pod laptop', null],
      ['brokers list', 'laptop online\nbuild online\nlab online'],
      ['{.spec.nodeName}', 'beside\nworker-2\nworker-3'],
      ['get nodes', 'beside'],
      ['spec.nodeName=worker-2', 'one'],
      ['get pods', 'one\ntwo\nthree'],
    ];
    const SINCE = /rollout report --since (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) --expect (\d)$/;

    it('installs on a cluster with a database, and tests what it has installed', () => {
      for (const name of ['programs/kind', 'programs/kubectl', 'scripts/helm.sh']) program(name);

      const { status, stderr, asked } = run('scripts/kind.sh', 'up');

      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const order = withWords(asked, 'kind create', 'kind load', 'expose', 'helm.sh install', 'helm.sh test');
      expect(order).not.toContain(-1);
      expect(order).toEqual([...order].sort((a, b) => a - b));
    });

    it('rolls under load, and goes by the reports of all three replicas and the trails', () => {
      program('programs/kubectl', ...CLUSTER);
      program('scripts/helm.sh');
      const before = Math.floor(Date.now() / 1000) * 1000;

      const { status, stderr, asked } = run('scripts/kind.sh', 'roll');

      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const order = withWords(
        asked,
        'join-tokens create --seats 3',
        '--env=FAIRLEAD_JOIN_TOKEN=flj_two',
        'run load',
        'helm.sh upgrade',
        'exec load',
        'wait pod/load --for=jsonpath',
        'FAIRLEAD_TOKEN=flp_one fairlead rollout report',
        'verify',
      );
      expect(order).not.toContain(-1);
      expect(order).toEqual([...order].sort((a, b) => a - b));
      expect(asked.filter((line) => line.includes('run ') && line.includes('JOIN_TOKEN'))).toHaveLength(3);
      const [, since = '', expected] =
        SINCE.exec(asked.find((line) => line.includes('rollout report'))!) ?? [];
      expect(Date.parse(since)).toBeGreaterThanOrEqual(before);
      expect(expected).toBe('3');
    });

    it('empties a machine of a replica under load, and goes by the report of each that was there', () => {
      program('programs/kubectl', ...CLUSTER);
      program('scripts/helm.sh');

      const { status, stderr, asked } = run('scripts/kind.sh', 'empty');

      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const order = withWords(
        asked,
        'run load',
        'kubectl drain worker-2',
        'exec load',
        'wait pod/load --for=jsonpath',
        'kubectl uncordon worker-2',
        'rollout report',
        'verify',
      );
      expect(order).not.toContain(-1);
      expect(order).toEqual([...order].sort((a, b) => a - b));
      expect(SINCE.exec(asked.find((line) => line.includes('rollout report'))!)?.[2]).toBe('1');
    });

    it('joins its brokers once, and keeps the token that was shown once', () => {
      program(
        'programs/kubectl',
        ['get secret token', Buffer.from('flp_kept').toString('base64')],
        ['get pod laptop', 'there'],
        ...CLUSTER,
      );
      program('scripts/helm.sh');

      const { status, asked } = run('scripts/kind.sh', 'roll');

      expect(status).toBe(0);
      expect(withWords(asked, 'join-tokens create', 'agents create', 'logs --selector')).toEqual([
        -1, -1, -1,
      ]);
      expect(asked.join('\n')).toContain('FAIRLEAD_TOKEN=flp_kept');
    });

    it.each([
      ['roll', 'rollout report'],
      ['roll', 'verify'],
      ['roll', 'wait pod/load'],
      ['roll', 'agents create'],
      ['roll', 'logs --selector'],
      ['empty', 'kubectl drain'],
      ['empty', 'rollout report'],
    ])('fails with %s where %s does', (act, words) => {
      program('programs/kubectl', [words.replace('kubectl ', ''), null], ...CLUSTER);
      program('scripts/helm.sh');

      expect(run('scripts/kind.sh', act).status).toBe(1);
    });

    it('fails where a broker does not come, and where a replica does not', () => {
      program('scripts/helm.sh');
      program('programs/kubectl', ['brokers list', 'laptop online'], ...CLUSTER);
      expect(run('scripts/kind.sh', 'roll')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('not every broker comes'),
      });

      program('programs/kubectl', ['get pods', 'one\ntwo'], ...CLUSTER);
      expect(run('scripts/kind.sh', 'roll')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('there are not three replicas'),
      });
    });
  });
});
