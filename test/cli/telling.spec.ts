import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { expectNoLeaks } from '../support/leaks.js';
import { ago, anAgent, AGENT_ID, DISPATCH_ID, NO_STRAYS } from './support/answers.js';
import { runCli, TOKEN } from './support/run-cli.js';
import { problem, ScriptedHub, type Answer } from './support/scripted-hub.js';

let hub: ScriptedHub | undefined;

async function ask(
  argv: string[],
  answer: Answer | readonly Answer[],
  options: { isTTY?: boolean; env?: NodeJS.ProcessEnv } = {},
) {
  await hub?.close();
  hub = await ScriptedHub.open(...[answer].flat());
  const { env, ...rest } = options;
  return runCli(argv, { ...rest, env: { FAIRLEAD_URL: hub.url, FAIRLEAD_TOKEN: TOKEN, ...env } });
}

afterEach(async () => {
  await hub?.close();
  hub = undefined;
});

afterAll(() => expectNoLeaks());

describe('what a command prints', () => {
  it('is a table with whole ids and ages for people', async () => {
    const page = {
      items: [anAgent(), anAgent({ name: 'a-longer-name', phase: 'failed', exitCode: 3 })],
      nextCursor: null,
    };

    const ran = await ask(['agents', 'list'], { body: page });

    expect(ran.out.split('\n')).toEqual([
      'ID                                    NAME           BROKER   PHASE    WANTED   EXIT  AGE  CHANGED',
      `${AGENT_ID}  web            build-1  running  running  -     2h   3m`,
      `${AGENT_ID}  a-longer-name  build-1  failed   running  3     2h   3m`,
      '',
    ]);
  });

  it('measures ages by the clock of the hub', async () => {
    const date = new Date(Date.now() + 3_600_000).toUTCString();

    const ran = await ask(['agents', 'list'], {
      headers: { date },
      body: { items: [anAgent()], nextCursor: null },
    });

    expect(ran.out).toMatch(/ 3h +1h$/m);
  });

  it('is the answer of the hub alone with --json', async () => {
    const page = { items: [anAgent()], nextCursor: 'more' };

    const ran = await ask(['agents', 'list', '--json'], { body: page });

    expect(ran.json()).toEqual(page);
    expect(ran.err).toBe('');
  });

  it('says how to see the next page', async () => {
    const ran = await ask(['agents', 'list', '--limit', '1'], {
      body: { items: [anAgent()], nextCursor: 'next' },
    });

    expect(ran.err).toContain('--cursor next');
    expect(hub?.asked[0]?.path).toBe('/api/v1/agents?limit=1');
  });

  it('has colours on a terminal alone, and none under NO_COLOR', async () => {
    const answer = { body: { items: [anAgent()], nextCursor: null } };
    const coloured = '\u001b[32mrunning';

    const piped = await ask(['agents', 'list'], answer);
    const shown = await ask(['agents', 'list'], answer, { isTTY: true });
    const plain = await ask(['agents', 'list'], answer, { isTTY: true, env: { NO_COLOR: '1' } });

    expect([piped, shown, plain].map(({ out }) => out.includes(coloured))).toEqual([false, true, false]);
  });

  it('makes control sequences of others visible instead of obeying them', async () => {
    const ran = await ask(
      ['agents', 'get', 'web'],
      [{ body: anAgent({ detail: 'a\u001b]0;title\u0007b' }) }, NO_STRAYS],
    );

    expect(ran.out).toContain('a\\x1b]0;title\\x07b');
  });

  it('keeps the colours of logs on a terminal and nothing else that a terminal obeys', async () => {
    const lines = ['\u001b[31mred\u001b[0m\tx', 'gone\u001b[2J'];

    const shown = await ask(
      ['agents', 'logs', 'web'],
      { body: { lines, truncated: false } },
      { isTTY: true },
    );
    const piped = await ask(['agents', 'logs', 'web', '--lines', '2'], { body: { lines, truncated: false } });

    expect(shown.out).toBe('\u001b[31mred\u001b[0m\tx\ngone\\x1b[2J\n');
    expect(piped.out).toBe(`${lines.join('\n')}\n`);
    expect(hub?.asked[0]?.path).toBe('/api/v1/agents/web/logs?lines=2');
  });

  it('shows the names of the environment', async () => {
    const spec = { ...anAgent().spec, environment: ['API_KEY', 'PATH'] };

    const ran = await ask(['agents', 'get', 'web'], [{ body: anAgent({ spec }) }, NO_STRAYS]);

    expect(ran.out).toMatch(/environment +API_KEY PATH/);
  });

  it('shows a new join token once, alone on stdout', async () => {
    const token = 'flj_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG';
    const made = { id: AGENT_ID, token, seats: 2, expiresAt: ago(-3_600) };

    const ran = await ask(['join-tokens', 'create', '--seats', '2', '--expires', '1h30m'], {
      status: 201,
      body: made,
    });

    expect(ran.out).toBe(`${token}\n`);
    expect(ran.err).toContain('2 seats, expires in ');
    expect(hub?.asked[0]?.body).toEqual({ seats: 2, expiresInS: 5_400 });
  });

  it('tells the steps of a dispatch', async () => {
    const trail = [
      { state: 'pending', at: '2026-01-01T00:00:00.000Z', replica: 'r-1' },
      { state: 'claimed', at: '2026-01-01T00:00:00.010Z', attempt: 1, epoch: 4 },
    ];

    const ran = await ask(['dispatches', 'trail', DISPATCH_ID], { body: { id: DISPATCH_ID, trail } });

    expect(ran.out).toMatch(/2026-01-01T00:00:00.010Z +claimed +1 +4 +- +-/);
  });

  it('measures the round trip of a ping, which does not outlive the wait', async () => {
    const dispatch = {
      state: 'succeeded',
      endedAt: ago(0),
      op: 'broker.ping',
      broker: { name: 'build-1' },
      error: null,
    };

    const ran = await ask(['brokers', 'ping', 'build-1', '--wait', '5'], {
      body: { dispatch: { id: 'x', ...dispatch } },
    });

    expect(ran.code).toBe(0);
    expect(ran.err).toMatch(/Round trip, hub included: \d+ ms/);
    expect(hub?.asked[0]).toMatchObject({
      path: '/api/v1/brokers/build-1/dispatches',
      body: { op: 'broker.ping', deadlineS: 10 },
    });
  });

  it('warns where the hub runs another version', async () => {
    const items = [
      { state: 'active', software: '9.9.9' },
      { state: 'gone', software: '0.0.1' },
    ];

    const ran = await ask(['version'], { body: { items, nextCursor: null } });

    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/^fairlead \d+\.\d+\.\d+\nhub 9\.9\.9\n$/);
    expect(ran.err).toMatch(/^warning: this command is .* and the hub runs 9\.9\.9\n$/);
  });

  it('is a version even where nobody is logged in', async () => {
    const ran = await runCli(['version', '--json']);

    expect(ran.code).toBe(0);
    expect(ran.json()).toMatchObject({ hub: null });
  });
});

describe('what a failure prints', () => {
  it('is the problem with its code, fields, remedy and request id', async () => {
    const fields = [{ path: 'name', rule: 'must be 1 to 63 lower-case letters' }];

    const ran = await ask(['agents', 'get', 'Web!'], problem('request_invalid', { fields, detail: 'Look.' }));

    expect(ran.out).toBe('');
    expect(ran.err.split('\n')).toEqual([
      'error: The request is malformed: Look.',
      '  code: request_invalid',
      '  field: name: must be 1 to 63 lower-case letters',
      '  remedy: Mend the fields that are named and send it again.',
      '  request: request-1',
      '',
    ]);
  });

  it('is the problem document on stdout with --json, under the same exit code', async () => {
    const ran = await ask(
      ['agents', 'start', 'web', '--json'],
      problem('start_in_progress', { phase: 'running' }),
    );

    expect(ran.code).toBe(5);
    expect(ran.err).toBe('');
    expect(ran.json()).toMatchObject({ error: { code: 'start_in_progress', status: 409, phase: 'running' } });
  });

  it.each([
    ['request_invalid', 2],
    ['credential_invalid', 3],
    ['forbidden', 3],
    ['not_found', 4],
    ['agent_name_taken', 5],
    ['args_invalid', 5],
    ['internal', 1],
    ['backlog_full', 7],
    ['database_unavailable', 7],
  ] as const)('ends with its own exit code for %s: %i', async (code, exitCode) => {
    const ran = await ask(['agents', 'get', 'web'], problem(code));

    expect(ran.code).toBe(exitCode);
  });

  it.each([[[]], [['--json']]])('never shows a token that somebody quotes %j', async (flags) => {
    const detail = `${TOKEN} is not known, nor is flj_0123456789abcdefghijklmnopqrstuvwxyz`;

    const ran = await ask(['whoami', ...flags], problem('credential_invalid', { detail, members: [TOKEN] }));

    expect(ran.code).toBe(3);
    expect(ran.out + ran.err).toContain('*** is not known, nor is ***');
    expect(ran.out + ran.err).not.toContain(TOKEN);
  });

  it('never shows a token that stands in the wrong place', async () => {
    const ran = await runCli(['join-tokens', 'create', '--seats', TOKEN]);

    expect(ran.code).toBe(2);
    expect(ran.err).toContain('--seats');
    expect(ran.err).not.toContain(TOKEN);
  });

  it('says who nobody is without a credential', async () => {
    const ran = await runCli(['agents', 'list', '--json']);

    expect(ran.code).toBe(3);
    expect(ran.json()).toMatchObject({ error: { code: 'not_logged_in' } });
  });
});
