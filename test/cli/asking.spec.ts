import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { expectNoLeaks } from '../support/leaks.js';
import { aDispatch, anAgent } from './support/answers.js';
import { runCli, TOKEN } from './support/run-cli.js';
import { deadUrl, problem, ScriptedHub, type Answer } from './support/scripted-hub.js';

const hubs: ScriptedHub[] = [];

async function open(...answers: Answer[]): Promise<ScriptedHub> {
  const hub = await ScriptedHub.open(...answers);
  hubs.push(hub);
  return hub;
}

const as = (url: string) => ({ env: { FAIRLEAD_URL: url, FAIRLEAD_TOKEN: TOKEN } });
const keysOf = ({ asked }: ScriptedHub) => asked.map(({ headers }) => headers['idempotency-key']);
const start = ['agents', 'start', 'web'];

afterEach(async () => {
  await Promise.all(hubs.splice(0).map((hub) => hub.close()));
});

afterAll(() => expectNoLeaks());

describe('a call of the hub', () => {
  it('carries the token and is made at the address on the command line before that of the environment', async () => {
    const hub = await open({ body: { items: [], nextCursor: null } });

    const ran = await runCli(['brokers', 'list', '--url', hub.url], as(await deadUrl()));

    expect(ran.code).toBe(0);
    expect(hub.asked[0]).toMatchObject({ method: 'GET', path: '/api/v1/brokers' });
    expect(hub.asked[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`);
  });

  it('takes the options of the program before the name of the command as well', async () => {
    const hub = await open({ body: { items: [], nextCursor: null } });

    const ran = await runCli(['--url', hub.url, '--token', TOKEN, '--json', 'brokers', 'list']);

    expect(ran.json()).toEqual({ items: [], nextCursor: null });
  });

  it('is repeated under the same Idempotency-Key when the replica dies under it', async () => {
    const hub = await open('dies', { body: aDispatch() });

    const ran = await runCli(start, as(hub.url));

    expect(ran.code).toBe(0);
    expect(keysOf(hub)).toHaveLength(2);
    expect(new Set(keysOf(hub)).size).toBe(1);
    expect(keysOf(hub)[0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('says so where an agent is deleted without a command', async () => {
    const hub = await open({ body: { dispatch: null } });

    const ran = await runCli(['agents', 'delete', 'web'], as(hub.url));

    expect(ran).toMatchObject({ code: 0, out: 'web is deleted. Its broker was revoked: it was not told.\n' });
  });

  it('has a key of its own for each command', async () => {
    const hub = await open({ body: aDispatch() });

    await runCli(start, as(hub.url));
    await runCli(start, as(hub.url));

    expect(new Set(keysOf(hub)).size).toBe(2);
  });

  it('waits as long as a 503 asks for, and keeps its key', async () => {
    const hub = await open(problem('draining', { retryAfter: '3' }), { body: aDispatch() });

    const ran = await runCli(start, as(hub.url));

    expect(ran.code).toBe(0);
    expect(ran.pauses).toHaveLength(1);
    expect(ran.pauses[0]).toBeGreaterThanOrEqual(3_000);
    expect(new Set(keysOf(hub)).size).toBe(1);
  });

  it('goes on at the next address at once where one does not answer', async () => {
    const hub = await open({ body: aDispatch() });

    const ran = await runCli(start, as(`${await deadUrl()},${hub.url}`));

    expect(ran).toMatchObject({ code: 0, pauses: [] });
    expect(hub.asked).toHaveLength(1);
  });

  it('goes on at the next address under the same key where one dies under it', async () => {
    const [dying, living] = [await open('dies'), await open({ body: aDispatch() })];

    const ran = await runCli(start, as(`${dying.url},${living.url}`));

    expect(ran.code).toBe(0);
    expect(keysOf(living)).toEqual(keysOf(dying));
  });

  it('is given up after about 30 s without an answer', async () => {
    const ran = await runCli(start, as(await deadUrl()));

    const spentMs = ran.pauses.reduce((sum, pause) => sum + pause, 0);
    expect(ran.code).toBe(7);
    expect(ran.err).toContain('error: The hub cannot be reached');
    expect(spentMs).toBeGreaterThan(20_000);
    expect(spentMs).toBeLessThanOrEqual(30_000);
  });

  it.each([
    ['agents start', start, 'POST /api/v1/agents/web/start'],
    ['agents delete', ['agents', 'delete', 'web'], 'DELETE /api/v1/agents/web'],
    ['agents send', ['agents', 'send', 'web', 'hello'], 'POST /api/v1/agents/web/messages'],
    ['projects message', ['projects', 'message', 'p', 'hello'], 'POST /api/v1/projects/p/messages'],
    ['dispatches create', ['dispatches', 'create', 'b', 'broker.ping'], 'POST /api/v1/brokers/b/dispatches'],
  ])(
    'that was taken and never answered tells its key: %s can be given again under it',
    async (_name, argv, asked) => {
      const hub = await open('dies');

      const told = await runCli(argv, as(hub.url));
      const [key] = keysOf(hub);
      const read = await runCli([...argv, '--json'], as(hub.url));
      const { error } = read.json() as { error: { idempotencyKey: string } };
      await runCli([...argv, '--idempotency-key', error.idempotencyKey], as(hub.url));

      expect([told.code, read.code]).toEqual([7, 7]);
      expect(told.err).toContain('may be on record');
      expect(told.err).toContain(`idempotency key: ${String(key)}`);
      expect(error.idempotencyKey).not.toBe(key);
      expect(keysOf(hub).at(-1)).toBe(error.idempotencyKey);
      expect(new Set(hub.asked.map(({ method, path }) => `${method} ${path}`))).toEqual(new Set([asked]));
    },
  );

  it.each<[string, Answer]>([
    ['the hub does not know', problem('outcome_unknown')],
    ['a proxy gave up', { status: 504, body: '' }],
  ])(
    'that was taken by one attempt tells its key where %s and no other attempt is answered',
    async (_why, answer) => {
      const hub = await open(answer, problem('draining'));

      const ran = await runCli([...start, '--json'], as(hub.url));

      expect(ran.json()).toMatchObject({
        error: {
          code: 'draining',
          idempotencyKey: keysOf(hub)[0],
          detail: expect.stringContaining('on record'),
        },
      });
    },
  );

  it('that certainly never arrived, or only looks, or was refused after all, tells of no record', async () => {
    const refusing = await open('dies', problem('broker_draining'));

    const outcomes = [
      await runCli([...start, '--json'], as(await deadUrl())),
      await runCli(['agents', 'get', 'web', '--json'], as((await open('dies')).url)),
      await runCli([...start, '--json'], as(refusing.url)),
    ].map((ran) => JSON.stringify(ran.json()));

    expect(refusing.asked).toHaveLength(2);
    for (const told of outcomes) expect(told).not.toMatch(/on record|idempotencyKey/);
  });

  it('is not waited for past what is left of the 30 s', async () => {
    const hub = await open(problem('backlog_full', { retryAfter: '120' }));

    const ran = await runCli(start, as(hub.url));

    expect(ran).toMatchObject({ code: 7, pauses: [] });
    expect(ran.err).toContain('code: backlog_full');
  });

  it('is not repeated where it would make a second token', async () => {
    const hub = await open('dies', { body: {} });

    const ran = await runCli(['join-tokens', 'create'], as(hub.url));

    expect(ran.code).toBe(7);
    expect(hub.asked).toHaveLength(1);
    expect(ran.err).toContain('may be on record');
  });

  it('does not take the silence of a broker for an outage of the hub', async () => {
    const hub = await open(problem('broker_silent', { retryAfter: '5', dispatchId: 'dispatch-1' }));

    const ran = await runCli(['agents', 'logs', 'web'], as(hub.url));

    expect(ran.code).toBe(7);
    expect(hub.asked).toHaveLength(1);
    expect(ran.err).toContain('dispatch: dispatch-1');
  });

  it('does not carry the token to where a redirect leads', async () => {
    const elsewhere = await open({ body: { items: [], nextCursor: null } });
    const hub = await open({
      status: 307,
      headers: { location: `${elsewhere.url}/api/v1/agents` },
      body: '',
    });

    const ran = await runCli(['agents', 'list'], as(hub.url));

    expect(ran.code).toBe(1);
    expect(elsewhere.asked).toHaveLength(0);
  });

  it('fails where something else than a hub answers', async () => {
    const hub = await open({ body: '<html>hello</html>' });

    const ran = await runCli(['agents', 'get', 'web'], as(hub.url));

    expect(ran.code).toBe(7);
    expect(ran.err).toContain('did not answer as a hub does');
  });
});

describe('waiting for a dispatch', () => {
  it('holds one call for a minute at most, and goes on by the id of the dispatch', async () => {
    const hub = await open({ status: 202, body: aDispatch({ state: 'running' }) }, { body: aDispatch() });

    const ran = await runCli([...start, '--wait', '90'], as(hub.url));

    expect(ran.code).toBe(0);
    expect(hub.asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /api/v1/agents/web/start',
      `GET /api/v1/dispatches/${aDispatch().dispatch.id}`,
    ]);
    expect(hub.asked.map(({ headers }) => headers.prefer)).toEqual(['wait=60', 'wait=60']);
  });

  it('ends with 6 when the time is up, and says how to look again', async () => {
    const hub = await open({ status: 202, body: aDispatch({ state: 'pending' }) });

    const ran = await runCli([...start, '--wait', '3'], as(hub.url));

    expect(ran.code).toBe(6);
    expect(ran.out).toContain('The broker is not connected');
    expect(ran.err).toContain(`fairlead dispatches get ${aDispatch().dispatch.id} --wait 60`);
  });

  it('does not hammer a replica that lets go at once', async () => {
    const hub = await open({ status: 202, body: aDispatch({ state: 'pending' }) });

    await runCli([...start, '--wait', '3'], as(hub.url));

    expect(hub.asked.length).toBeLessThanOrEqual(4);
  });

  it('is content with the acceptance under --no-wait', async () => {
    const hub = await open({ status: 202, body: aDispatch({ state: 'pending' }) });

    const ran = await runCli([...start, '--no-wait'], as(hub.url));

    expect(ran.code).toBe(0);
    expect(hub.asked).toHaveLength(1);
    expect(hub.asked[0]?.headers.prefer).toBeUndefined();
  });

  it.each(['failed', 'cancelled', 'expired', 'dead'] as const)(
    'ends with 1 when the dispatch is %s',
    async (state) => {
      const error = { code: 'spawn_failed', message: 'no such program', retryable: false };
      const hub = await open({ body: aDispatch({ state, error }) });

      const ran = await runCli([...start, '--json'], as(hub.url));

      expect(ran.code).toBe(1);
      expect(ran.json()).toMatchObject({ dispatch: { state, error } });
    },
  );

  it('names the dispatch that is on record when the hub is lost while following it', async () => {
    const hub = await open({ status: 202, body: aDispatch({ state: 'running' }) }, 'dies');

    const ran = await runCli(start, as(hub.url));

    expect(ran.code).toBe(7);
    expect(ran.err).toContain(`dispatch: ${aDispatch().dispatch.id}`);
  });

  it('creates and starts an agent with what stands after the dashes', async () => {
    const hub = await open({ status: 201, body: anAgent() }, { body: aDispatch() });
    const options = [
      '--broker',
      'build-1',
      '--env',
      'A=1',
      '--env',
      'B=x=y',
      '--wall-seconds',
      '5',
      '--start',
    ];

    const ran = await runCli(
      ['agents', 'create', 'web', ...options, '--json', '--', 'sh', '-c', '--url'],
      as(hub.url),
    );

    expect(ran.code).toBe(0);
    expect(ran.json()).toMatchObject({ agent: { name: 'web' }, dispatch: { state: 'succeeded' } });
    expect(hub.asked[0]?.body).toEqual({
      name: 'web',
      broker: 'build-1',
      spec: {
        command: 'sh',
        args: ['-c', '--url'],
        environment: { A: '1', B: 'x=y' },
        limits: { wallSeconds: 5 },
      },
    });
    expect(hub.asked[1]?.path).toBe(`/api/v1/agents/${anAgent().id}/start`);
  });
});
