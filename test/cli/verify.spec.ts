import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import * as program from '../../src/hub/verify/main.js';
import { dispatchOf, succeeded } from '../support/history.js';
import { expectNoLeaks } from '../support/leaks.js';
import { runCli, TOKEN } from './support/run-cli.js';
import { problem, ScriptedHub, type Answer } from './support/scripted-hub.js';

const good = [succeeded(0, { idempotencyKey: 'k-1' }), succeeded(10)];
const bad = dispatchOf(20, ['pending', 'succeeded']);
const live = dispatchOf(30, ['pending']);
const effects = good.map(({ id }) => ({ dispatchId: id, at: '2026-01-01T00:00:05Z' }));
const told = { submittedAt: '2026-01-01T00:00:00Z', answeredAt: '2026-01-01T00:00:09Z' };

const hubs: ScriptedHub[] = [];
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-verify-'));
});

afterEach(async () => {
  await Promise.all(hubs.splice(0).map((hub) => hub.close()));
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await expectNoLeaks();
});

function file(name: string, lines: readonly unknown[]): string {
  const path = join(folder, name);
  writeFileSync(
    path,
    lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'),
  );
  return path;
}

async function open(...answers: Answer[]) {
  const hub = await ScriptedHub.open(...answers);
  hubs.push(hub);
  return { hub, env: { FAIRLEAD_URL: hub.url, FAIRLEAD_TOKEN: TOKEN } };
}

const verify = (argv: string[], env: NodeJS.ProcessEnv = {}) =>
  runCli(['verify', ...argv], { env, programs: { verify: () => Promise.resolve(program) } });

describe('fairlead verify', () => {
  it('says that every rule holds, and ends with 0', async () => {
    const ran = await verify(['--file', file('good', [...good, live])]);

    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(ran.out).toMatch(/dispatches +3\nended +2\nlive +1\n/);
    expect(ran.out).toContain('Every rule holds.');
  });

  it('shows each violation with its dispatch, its rule and what was seen, and ends with 1', async () => {
    const ran = await verify(['--file', file('bad', [...good, bad])]);

    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(new RegExp(`${bad.id} +legal_path +succeeded after pending`));
    expect(ran.out).toContain('\n1 violation.\n');
  });

  it('gives the verdict as one document with --json', async () => {
    const ran = await verify(['--json', '--file', file('bad', [...good, bad])]);

    expect(ran.code).toBe(1);
    expect(ran.json()).toMatchObject({
      clean: false,
      dispatches: 3,
      violationCount: 1,
      byRule: { legal_path: 1 },
      violations: [{ rule: 'legal_path', dispatchId: bad.id, seen: 'succeeded after pending' }],
    });
  });

  it('lets nothing be live with --settled', async () => {
    const ran = await verify(['--settled', '--file', file('live', [...good, live])]);

    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(new RegExp(`${live.id} +settled`));
  });

  it('holds trails against effects of several files and the answers of clients', async () => {
    const trails = file('good', good);
    const witnesses = [file('effects-1', effects.slice(0, 1)), file('effects-2', effects.slice(1))];
    const answers = file('answers', [{ ...told, idempotencyKey: 'k-1', state: 'succeeded' }]);
    const lies = file('lies', [{ ...told, idempotencyKey: 'k-1', state: 'failed' }]);

    const holds = await verify(['--file', trails, '--witness', ...witnesses, '--answers', answers]);
    const misses = await verify([
      '--json',
      '--file',
      trails,
      '--witness',
      witnesses[0] ?? '',
      '--answers',
      lies,
    ]);

    expect(holds.code).toBe(0);
    expect(holds.out).toMatch(/effects +2\nanswers +1\n/);
    expect(misses.json()).toMatchObject({ byRule: { effect_missing: 1, answer_true: 1 } });
  });

  it('reads every page of the hub', async () => {
    const { hub, env } = await open(
      { body: { items: good, nextCursor: 'next' } },
      { body: { items: [bad], nextCursor: null } },
    );

    const ran = await verify(['--since', '2026-01-01', '--broker', 'build-1', '--json'], env);

    expect(ran.json()).toMatchObject({ dispatches: 3, violationCount: 1 });
    expect(hub.asked.map(({ path }) => path)).toEqual([
      '/api/v1/trails?since=2026-01-01T00%3A00%3A00.000Z&broker=build-1&limit=500',
      '/api/v1/trails?since=2026-01-01T00%3A00%3A00.000Z&broker=build-1&limit=500&cursor=next',
    ]);
  });

  it('has no verdict where the hub refuses', async () => {
    const { env } = await open(problem('forbidden'));

    expect((await verify([], env)).code).toBe(3);
  });

  it.each([
    ['a file that is not there', () => ['--file', join(folder, 'missing')], /missing cannot be read: ENOENT/],
    ['a line that is no JSON', () => ['--file', file('torn', [good[0], '{"id":'])], /torn, line 2: /],
    [
      'a line that is no dispatch',
      () => ['--file', file('odd', [{ ...good[0], broker: null }])],
      /odd, line 1: broker must be/,
    ],
    ['trails in another order', () => ['--file', file('turned', [good[1], good[0]])], /order of ids/],
    [
      'an effect without a time',
      () => ['--file', file('good', good), '--witness', file('w', [{ dispatchId: 'x' }])],
      /w, line 1: at must be/,
    ],
    [
      'an answer of nothing',
      () => ['--file', file('good', good), '--answers', file('a', [{ ...told, state: 'pending' }])],
      /dispatchId or an idempotencyKey/,
    ],
    ['two sources', () => ['--file', 'a', '--database', 'postgres://b'], /cannot be used with/],
    ['a time that is none', () => ['--since', 'yesterday'], /It must be a time/],
  ])('ends with 2 for %s', async (_case, argv, said) => {
    const ran = await verify(argv());

    expect(ran.code).toBe(2);
    expect(ran.err).toMatch(said);
  });

  it('ends with 7 where there is no way to the database, and shows no password', async () => {
    const ran = await verify(['--database', 'postgres://fairlead:s3cret-password@127.0.0.1:1/fairlead']);

    expect(ran.code).toBe(7);
    expect(ran.out + ran.err).not.toContain('s3cret-password');
    expect(ran.err).toContain('The database cannot be read');
  });
});

describe('fairlead trails export', () => {
  it('prints what verify reads, a document a line', async () => {
    const { env } = await open(
      { body: { items: good, nextCursor: 'n' } },
      { body: { items: [bad], nextCursor: null } },
    );

    const exported = await runCli(['trails', 'export'], { env });

    expect(exported).toMatchObject({ code: 0, err: '3 trails.\n' });
    expect(
      exported.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([...good, bad]);
    const ran = await verify(['--json', '--file', file('exported', [exported.out])]);
    expect(ran.json()).toMatchObject({ dispatches: 3, violationCount: 1 });
  });
});
