import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { FAIRLEAD } from '../support/hub-process.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { expectNoLeaks } from '../support/leaks.js';

describe('the public API', () => {
  let cluster: Cluster;
  let broker: ScriptedBroker;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
  });

  afterAll(async () => {
    await cluster.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  it('is described to anybody who asks, and on a page of its own', async () => {
    const ask = (path: string, method = 'GET') => fetch(`${cluster.hub(0).url}${path}`, { method });
    const asked = await Promise.all(['/docs', '/api/v1/openapi.json'].map((path) => ask(path)));

    const [page = '', description = ''] = await Promise.all(asked.map((answer) => answer.text()));

    expect(asked.map(({ status }) => status)).toEqual([200, 200]);
    expect(JSON.parse(description)).toMatchObject({
      openapi: '3.1.0',
      paths: { '/api/v1/agents': { post: { security: [{ bearer: [] }] } } },
    });
    const [, script = ''] = /src="\.(\/docs\/swagger-ui-init\.js)"/.exec(page) ?? [];
    const told = await ask(script);
    expect(told.headers.get('content-type')).toMatch('javascript');
    expect(await told.text()).toContain('/api/v1/agents');
    const head = await ask('/docs', 'HEAD');
    expect(Number(head.headers.get('content-length'))).toBe(page.length);
    expect(head.headers.get('x-request-id')).not.toBeNull();
    const missing = await ask('/docs/nothing');
    expect([missing.status, ((await missing.json()) as { code: string }).code]).toEqual([404, 'not_found']);
  });

  describe('with an Idempotency-Key', () => {
    it('gives the same dispatch to a repeat, at whichever replica', async () => {
      const key = randomUUID();

      const first = await cluster.api(0).ping(broker.id, { key });
      const again = await cluster.api(1).ping(broker.id, { key });

      expect(again.body.dispatch.id).toBe(first.body.dispatch.id);
    });

    it('creates one dispatch of two that come at the same moment', async () => {
      const key = randomUUID();

      const answers = await Promise.all(
        [0, 1, 0, 1].map((index) => cluster.api(index).ping(broker.id, { key })),
      );

      expect(new Set(answers.map(({ body }) => body.dispatch.id)).size).toBe(1);
    });

    it('refuses another body under the same key with 422', async () => {
      const key = randomUUID();
      await cluster.api(0).ping(broker.id, { key });

      const { status, body } = await cluster.api(1).ping(broker.id, { key, orderingKey: 'other' });

      expect([status, body.code]).toEqual([422, 'idempotency_key_reused']);
    });

    it('starts an agent once, however often the start is repeated', async () => {
      const name = `once-${randomUUID().slice(0, 8)}`;
      await cluster.api(0).post('/api/v1/agents', { name, broker: broker.id, spec: { command: 'true' } });
      const headers = { 'idempotency-key': randomUUID() };

      const first = await cluster.api(0).post(`/api/v1/agents/${name}/start`, undefined, headers);
      const again = await cluster.api(1).post(`/api/v1/agents/${name}/start`, undefined, headers);

      expect(again.body.dispatch.id).toBe(first.body.dispatch.id);
    });
  });

  it('is logged by request id, path and status, without the query', async () => {
    const requestId = randomUUID();

    await cluster.api(0).get('/api/v1/dispatches?cursor=planted', { 'x-request-id': requestId });

    const line = await cluster.hub(0).line((each) => each.requestId === requestId);
    expect(line).toMatchObject({ method: 'GET', path: '/api/v1/dispatches', status: 400 });
    expect(JSON.stringify(line)).not.toContain('planted');
  });

  it('answers 202 with the envelope and a Location when the wait is over first', async () => {
    const { status, headers, body } = await cluster.api(0).ping(broker.id, { waitS: 1 });

    expect(status).toBe(202);
    expect(headers.get('location')).toBe(`/api/v1/dispatches/${body.dispatch.id}`);
    expect(body.dispatch).toMatchObject({
      state: 'pending',
      reason: expect.stringContaining('not connected'),
    });
  });

  it.each([
    ['wait=20', 'wait=20'],
    ['wait=301', 'wait=300'],
    ['respond-async, wait=3600; window=600', 'wait=300; window=300'],
    ['respond-async', null],
  ])('says of the preference %p that what holds is %p', async (prefer, applied) => {
    const { id } = (await cluster.api(0).ping(broker.id)).body.dispatch;
    await cluster.api(0).post(`/api/v1/dispatches/${id}/cancel`);

    const { status, headers } = await cluster.api(1).get(`/api/v1/dispatches/${id}`, { prefer });

    expect([status, headers.get('preference-applied')]).toEqual([200, applied]);
  });

  it('ends a command that passes its deadline unsent as expired, and says so to whoever waits', async () => {
    const { body } = await cluster
      .api(0)
      .post(
        `/api/v1/brokers/${broker.id}/dispatches`,
        { op: 'broker.ping', deadlineS: 1 },
        { prefer: 'wait=15' },
      );

    expect(body.dispatch).toMatchObject({
      state: 'expired',
      attempt: 0,
      error: { code: 'deadline_passed', data: { effect: 'none' } },
    });
  });

  it('lists dispatches newest first, page by page, each once', async () => {
    const own = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const made: string[] = [];
    for (let count = 0; count < 5; count += 1)
      made.push((await cluster.api(0).ping(own.id)).body.dispatch.id);

    const seen: string[] = [];
    for (let cursor = ''; ;) {
      const { body } = await cluster.api(1).get(`/api/v1/dispatches?broker=${own.name}&limit=2${cursor}`);
      seen.push(...body.items.map(({ id }: { id: string }) => id));
      if (body.nextCursor === null) break;
      cursor = `&cursor=${body.nextCursor}`;
    }

    expect(seen).toEqual(made.reverse());
  });

  describe('refuses', () => {
    it.each([
      [
        'an unknown field',
        'POST',
        '/api/v1/agents',
        { name: 'a', broker: 'b', spec: { command: 'x' }, extra: 1 },
        400,
        'request_invalid',
      ],
      [
        'a name with capitals',
        'POST',
        '/api/v1/agents',
        { name: 'A', broker: 'b', spec: { command: 'x' } },
        400,
        'request_invalid',
      ],
      ['a body without a spec', 'POST', '/api/v1/agents', { name: 'a', broker: 'b' }, 400, 'request_invalid'],
      [
        'an agent on a broker that is not there',
        'POST',
        '/api/v1/agents',
        { name: 'a', broker: 'nobody', spec: { command: 'x' } },
        404,
        'not_found',
      ],
      [
        'an op that is not there',
        'POST',
        '/api/v1/brokers/BROKER/dispatches',
        { op: 'no.such' },
        422,
        'op_unknown',
      ],
      [
        'a command for a broker that is not there',
        'POST',
        `/api/v1/brokers/${randomUUID()}/dispatches`,
        { op: 'broker.ping' },
        404,
        'not_found',
      ],
      [
        'a dispatch that is not there',
        'GET',
        `/api/v1/dispatches/${randomUUID()}`,
        undefined,
        404,
        'not_found',
      ],
      ['an id that is none', 'GET', '/api/v1/dispatches/1', undefined, 404, 'not_found'],
      ['a page of 501', 'GET', '/api/v1/dispatches?limit=501', undefined, 400, 'request_invalid'],
      ['a made-up cursor', 'GET', '/api/v1/dispatches?cursor=abc', undefined, 400, 'request_invalid'],
      [
        'a deadline past seven days',
        'POST',
        '/api/v1/brokers/BROKER/dispatches',
        { op: 'broker.ping', deadlineS: 604_801 },
        400,
        'request_invalid',
      ],
      [
        'arguments over 256 KiB',
        'POST',
        '/api/v1/brokers/BROKER/dispatches',
        { op: 'broker.ping', args: { x: 'x'.repeat(256 * 1024) } },
        413,
        'args_too_large',
      ],
      [
        'a body over 1 MiB',
        'POST',
        '/api/v1/brokers/BROKER/dispatches',
        { op: 'broker.ping', args: { x: 'x'.repeat(1024 * 1024) } },
        413,
        'request_too_large',
      ],
      ['a route that is not there', 'GET', '/api/v1/nothing', undefined, 404, 'not_found'],
    ])('%s', async (_what, method, path, body, status, code) => {
      const answer = await cluster.api(0).call(method, path.replace('BROKER', broker.id), body);

      expect([answer.status, answer.body.code]).toEqual([status, code]);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(answer.body.requestId).toBe(answer.headers.get('x-request-id'));
    });

    it('a NUL in a text, which the database cannot hold', async () => {
      const { status, body } = await cluster.api(0).ping(broker.id, { orderingKey: 'a\0b' });

      expect([status, body.code]).toEqual([400, 'request_invalid']);
    });

    it('text that is not JSON', async () => {
      const response = await fetch(`${cluster.hub(0).url}/api/v1/agents`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${cluster.administratorToken}`,
          'content-type': 'application/json',
        },
        body: '{',
      });

      expect(response.status).toBe(400);
    });

    it.each([
      ['no credential', {}],
      ['an unknown token', { authorization: `Bearer flp_${'x'.repeat(43)}` }],
      ['another scheme', { authorization: 'Basic YTpi' }],
    ])('a caller with %s with 401', async (_what, headers) => {
      const response = await fetch(`${cluster.hub(0).url}/api/v1/agents`, { headers });

      expect(response.status).toBe(401);
    });
  });

  it('a second start while the first is under way is a conflict that names it', async () => {
    const name = `busy-${randomUUID().slice(0, 8)}`;
    await cluster.api(0).post('/api/v1/agents', { name, broker: broker.id, spec: { command: 'true' } });
    const first = await cluster.api(0).post(`/api/v1/agents/${name}/start`);

    const { status, body } = await cluster.api(1).post(`/api/v1/agents/${name}/start`);

    expect([status, body.code, body.dispatchId]).toEqual([409, 'start_in_progress', first.body.dispatch.id]);
  });

  it('fails an agent whose start came to nothing, with the reason', async () => {
    const own = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const link = await own.connect(cluster.hub(1).url);
    const name = `hopeless-${randomUUID().slice(0, 8)}`;
    await cluster.api(0).post('/api/v1/agents', { name, broker: own.id, spec: { command: 'nowhere' } });
    await cluster.api(0).post(`/api/v1/agents/${name}/start`);
    const { id, attempt } = await link.nextDispatch();

    const error = { code: 'start_failed', message: 'There is no program nowhere.', retryable: false };
    link.send({ t: 'result', results: [{ id, attempt, outcome: 'failed', error }] });

    const agent = await eventually(async () => {
      const { body } = await cluster.api(0).get(`/api/v1/agents/${name}`);
      return body.phase === 'failed' && body;
    });
    expect(agent.detail).toBe(error.message);
    await link.close();
  });

  it('refuses a report of an earlier run', async () => {
    const own = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const link = await own.connect(cluster.hub(1).url);
    const name = `runs-${randomUUID().slice(0, 8)}`;
    const { body: made } = await cluster
      .api(0)
      .post('/api/v1/agents', { name, broker: own.id, spec: { command: 'true' } });
    await cluster.api(0).post(`/api/v1/agents/${name}/start`);
    const started = await link.nextDispatch();
    const report = { agentId: made.id, exitCode: null, detail: null, restarts: 0 };

    link.send({ t: 'event', agents: [{ ...report, runId: randomUUID(), phase: 'failed' }] });
    link.send({ t: 'event', agents: [{ ...report, runId: started.args.runId as string, phase: 'running' }] });

    await eventually(
      async () => (await cluster.api(0).get(`/api/v1/agents/${name}`)).body.phase === 'running',
    );
    await link.close();
  });
});

describe('a hub with a broken environment', () => {
  it.each([
    ['a misspelt variable', { FAIRLEAD_LISTN: '127.0.0.1:0' }, 'FAIRLEAD_LISTN'],
    [
      'an external database without seal keys',
      { DATABASE_URL: 'postgres://hub:s3cret@db/hub' },
      'FAIRLEAD_SEAL_KEYS',
    ],
  ])('with %s exits 78, names the variable, and tells no value', async (_what, env, named) => {
    const child = spawn(process.execPath, [FAIRLEAD, 'hub', 'start'], {
      env: { PATH: process.env.PATH, ...env },
    });
    let output = '';
    child.stdout.on('data', (text: Buffer) => (output += text.toString()));
    child.stderr.on('data', (text: Buffer) => (output += text.toString()));

    const [code] = await once(child, 'close');

    expect(code).toBe(78);
    expect(output).toContain(named);
    expect(output).not.toContain('s3cret');
  });
});
