import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { Api } from '../support/api.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

const PROJECTS = '/api/v1/projects';

describe('commands in a project', () => {
  let cluster: Cluster;
  let api: Api;
  let other: Api;
  let sql: pg.Client;
  let count = 0;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    api = cluster.api(0);
    other = cluster.api(1);
    sql = new pg.Client(cluster.database.url);
    await sql.connect();
  });

  afterAll(async () => {
    await sql.end();
    await cluster.stop();
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  /** A project with a broker of this version attached to it. */
  const place = async (settings: object = {}, software = 'scripted/1.9') => {
    count += 1;
    const { body: project } = await api.post(PROJECTS, { name: `project-${count}`, ...settings });
    const broker = await ScriptedBroker.join(api, cluster.hub(0).url, undefined, { software });
    await api.post(`${PROJECTS}/${project.id}/attachments`, { broker: broker.id });
    return { project: project as { id: string; name: string }, broker };
  };
  const patch = (name: string, body: object) => api.call('PATCH', `${PROJECTS}/${name}`, body);
  const ping = (at: Api, broker: ScriptedBroker, project: string, headers?: Record<string, string>) =>
    at.post(
      `/api/v1/brokers/${broker.id}/dispatches`,
      { op: 'broker.ping', project, orderingKey: null },
      headers,
    );
  const agentIn = async (project: string, broker: ScriptedBroker) => {
    count += 1;
    const body = { name: `agent-${count}`, broker: broker.id, project, spec: { command: 'true' } };
    return api.post('/api/v1/agents', body);
  };
  const start = (at: Api, agent: string) => at.post(`/api/v1/agents/${agent}/start`);
  const why = async (project: string, broker: ScriptedBroker) =>
    (await other.get(`${PROJECTS}/${project}/brokers/${broker.id}/why`)).body;
  const rows = async (project: string) =>
    (await sql.query('select from broker_dispatch where project_id = $1', [project])).rowCount;

  it('are stored with it, keep it to their end, and are found by it', async () => {
    const { project, broker } = await place();
    const link = await broker.connect(cluster.hub(1).url);

    const { status, body } = await ping(api, broker, project.name);
    const explained = await other.get(`/api/v1/dispatches/${body.dispatch.id}/why`);
    link.succeed(await link.nextDispatch());
    const ended = await api.dispatch(body.dispatch.id, 10);
    const listed = await other.get(`/api/v1/dispatches?project=${project.name}`);
    const { body: without } = await api.ping(broker.id);

    expect([status, body.dispatch.project]).toEqual([202, project.id]);
    expect(explained.body.facts).toEqual(
      expect.arrayContaining([expect.objectContaining({ name: 'project', value: project.name })]),
    );
    expect(ended).toMatchObject({ state: 'succeeded', project: project.id });
    expect(listed.body.items.map(({ id }: { id: string }) => id)).toEqual([ended.id]);
    expect(without.dispatch.project).toBeNull();
    await link.close();
  });

  it('are refused where the project does not admit the broker, each with the reason that `why` tells', async () => {
    const { project, broker } = await place();
    const stranger = await ScriptedBroker.join(api, cluster.hub(0).url);
    const revoked = await place();
    await api.post(`${PROJECTS}/${revoked.project.id}/attachments/${revoked.broker.id}/revoke`);
    const archived = await place();
    await api.post(`${PROJECTS}/${archived.project.id}/archive`);

    const answers = [
      await ping(api, broker, 'nothing'),
      await ping(api, broker, randomUUID()),
      await ping(api, stranger, project.id),
      await ping(other, revoked.broker, revoked.project.name),
      await ping(other, archived.broker, archived.project.name),
    ];
    const causes = [
      await why(project.id, stranger),
      await why(revoked.project.id, revoked.broker),
      await why(archived.project.id, archived.broker),
      await why(project.id, broker),
    ];

    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [404, 'not_found'],
      [404, 'not_found'],
      [409, 'broker_not_attached'],
      [409, 'attachment_revoked'],
      [409, 'project_archived'],
    ]);
    expect(causes.map(({ cause }) => cause)).toEqual([
      'not_attached',
      'attachment_revoked',
      'project_archived',
      'admitted',
    ]);
    await api.call('DELETE', `${PROJECTS}/${project.id}/attachments/${broker.id}`);
    expect((await ping(api, broker, project.id)).body.code).toBe('broker_not_attached');
  });

  it('to a broker below the floor are refused if they change anything; what was accepted before is done', async () => {
    const { project, broker } = await place();
    const software = 'scripted/1.9';
    const { body: agent } = await agentIn(project.name, broker);
    const accepted = await start(api, agent.id);
    await patch(project.name, { minBrokerVersion: '1.10' });

    const refused = await api.post(`/api/v1/agents/${agent.id}/stop`);
    const asked = await ping(other, broker, project.name);
    const told = await why(project.name, broker);
    const { body: waiting } = await other.get(`/api/v1/dispatches/${accepted.body.dispatch.id}/why`);
    const link = await broker.connect(cluster.hub(1).url, [], { software });
    const items = [await link.nextDispatch(), await link.nextDispatch()];
    for (const item of items) link.succeed(item);

    expect(refused.body).toMatchObject({
      status: 409,
      code: 'version_floor_exceeded',
      minBrokerVersion: '1.10',
      brokerVersion: '1.9',
    });
    expect(asked.status).toBe(202);
    expect(told).toMatchObject({ cause: 'read_only', explanation: expect.stringMatching(/1\.9.*1\.10/) });
    expect(waiting).toMatchObject({ cause: 'broker_offline' });
    expect(waiting.facts).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'attachment', value: 'registering, read-only' }),
      ]),
    );
    expect(new Set(items.map(({ op }) => op))).toEqual(new Set(['agent.start', 'broker.ping']));
    expect(await api.dispatch(accepted.body.dispatch.id, 10)).toMatchObject({ state: 'succeeded' });
    await link.close();
  });

  it.each<[string, (project: string, broker: string) => Promise<unknown>]>([
    ['project is archived', (project) => api.post(`${PROJECTS}/${project}/archive`)],
    [
      'broker is detached',
      (project, broker) => api.call('DELETE', `${PROJECTS}/${project}/attachments/${broker}`),
    ],
    [
      'broker is shut out of it',
      (project, broker) => api.post(`${PROJECTS}/${project}/attachments/${broker}/revoke`),
    ],
  ])('end an agent also where its %s, and stay of the project', async (_what, part) => {
    const { project, broker } = await place();
    const { body: agent } = await agentIn(project.name, broker);
    const link = await broker.connect(cluster.hub(1).url);
    await start(api, agent.id);
    link.succeed(await link.nextDispatch());
    await part(project.id, broker.id);

    const started = await api.post(`/api/v1/agents/${agent.id}/restart`);
    const stopped = await other.post(`/api/v1/agents/${agent.id}/stop`);
    link.succeed(await link.nextDispatch());
    const deleted = await other.call('DELETE', `/api/v1/agents/${agent.id}`);
    const { op } = await link.nextDispatch().then((item) => (link.succeed(item), item));
    await eventually(async () => (await api.get(`/api/v1/agents/${agent.id}`)).body.phase === 'deleted');
    const { body: listed } = await other.get(`/api/v1/dispatches?project=${project.id}`);

    const [stop, end] = [stopped.body.dispatch, deleted.body.dispatch];
    expect([started.status, stop.op, end.op, op]).toEqual([
      409,
      'agent.stop',
      'agent.delete',
      'agent.delete',
    ]);
    expect(listed.items.map(({ id }: { id: string }) => id).slice(0, 2)).toEqual([end.id, stop.id]);
    await link.close();
  });

  it('are not needed to delete an agent of a broker that was revoked, and its name is free again', async () => {
    const { project, broker } = await place();
    const { body: agent } = await agentIn(project.name, broker);
    await start(api, agent.id);
    await api.post(`/api/v1/brokers/${broker.id}/revoke`);
    const key = { 'idempotency-key': randomUUID() };
    const path = `/api/v1/agents/${agent.name}`;

    const first = await api.call('DELETE', path, undefined, key);
    const again = await other.call('DELETE', path, undefined, key);
    const anew = await other.call('DELETE', path);
    const byId = await other.call('DELETE', `/api/v1/agents/${agent.id}`);
    const next = await place();
    const spec = { command: 'true' };
    const made = await api.post('/api/v1/agents', { name: agent.name, broker: next.broker.id, spec });

    expect([first, again].map(({ status, body }) => [status, body])).toEqual(
      Array(2).fill([200, { dispatch: null }]),
    );
    expect([anew.status, byId.body.code, made.status]).toEqual([404, 'agent_deleted', 201]);
    expect((await api.get(`/api/v1/agents/${agent.id}`)).body).toMatchObject({
      phase: 'deleted',
      wanted: 'deleted',
    });
  });

  it('are accepted again once the broker has come back upgraded; a version that cannot be read never is enough', async () => {
    const { project, broker } = await place({ minBrokerVersion: '1.10' });
    const { body: agent } = await agentIn(project.name, broker);
    const answerAs = async (software: string) => {
      const link = await broker.connect(cluster.hub(0).url, [], { software });
      const { status, body } = await start(other, agent.id);
      link.cut();
      return body.code ?? status;
    };

    const answers = [
      await answerAs('scripted/1.9'),
      await answerAs('scripted/new'),
      await answerAs('scripted/1.10'),
    ];

    expect(answers).toEqual(['version_floor_exceeded', 'version_floor_exceeded', 202]);
  });

  it('are judged under the lock of the project: none slips past a floor that is just being raised', async () => {
    const { project, broker } = await place();
    const { body: agent } = await agentIn(project.name, broker);
    await sql.query('begin');
    await sql.query('update project set min_broker_major = 2, min_broker_minor = 0 where id = $1', [
      project.id,
    ]);

    const starting = start(other, agent.id);
    await eventually(async () => {
      const waiting = await sql.query(
        `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
      );
      return waiting.rowCount === 1;
    });
    await sql.query('commit');

    expect((await starting).body.code).toBe('version_floor_exceeded');
    expect(await rows(project.id)).toBe(0);
  });

  it('are held off while a detach is under way, and refused after it', async () => {
    const { project, broker } = await place();
    await sql.query('begin');
    await sql.query(
      `update broker_attachment set state = 'offline', detached_at = now() where project_id = $1`,
      [project.id],
    );

    const pinging = ping(api, broker, project.id);
    await eventually(async () => {
      const waiting = await sql.query(
        `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
      );
      return waiting.rowCount === 1;
    });
    await sql.query('commit');

    expect((await pinging).body.code).toBe('broker_not_attached');
  });

  it('wait for a project that somebody holds, and fail no command of another meanwhile', async () => {
    const [held, free] = [await place(), await place()];
    await sql.query('begin');
    await sql.query('select from project where id = $1 for update', [held.project.id]);
    const items = [held, free, held, free].map(({ broker, project }) => ({
      broker: broker.id,
      op: 'broker.ping',
      project: project.name,
    }));

    const { body } = await api.post('/api/v1/dispatches/batch', { items });
    await sql.query('rollback');

    type Item = { problem: { code: string } | null };
    expect((body.items as Item[]).map(({ problem }) => problem?.code ?? null)).toEqual([
      'database_unavailable',
      null,
      'database_unavailable',
      null,
    ]);
    expect([await rows(held.project.id), await rows(free.project.id)]).toEqual([0, 2]);
  });

  it('are as many as the quota, over all brokers and replicas, and make room as they end', async () => {
    const { project, broker } = await place({ maxPending: 5 });
    const link = await broker.connect(cluster.hub(1).url);

    const answers = [];
    for (let place = 0; place < 7; place += 1)
      answers.push(await ping(cluster.api(place % 2), broker, project.id));
    const told = await why(project.id, broker);
    const elsewhere = await api.ping(broker.id, { orderingKey: null });
    link.succeed(await link.nextDispatch());
    await link.next('confirm');
    const next = await ping(other, broker, project.id);
    const over = await ping(api, broker, project.id);

    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202, 429, 429]);
    expect(answers[6]?.body).toMatchObject({ code: 'quota_exceeded', depth: 5, maxPending: 5 });
    expect(answers[6]?.headers.get('retry-after')).toBe('5');
    expect(told).toMatchObject({ cause: 'quota', explanation: expect.stringMatching(/5 live commands/) });
    expect([elsewhere.status, next.status, over.status]).toEqual([202, 202, 429]);
    link.cut();
  });

  it('keep to a quota that was lowered at once, and fill what is left of it one by one in a batch', async () => {
    const { project, broker } = await place({ maxPending: 5_000 });
    for (let place = 0; place < 4; place += 1) await ping(api, broker, project.id);
    await patch(project.id, { maxPending: 10 });
    const item = { broker: broker.id, op: 'broker.ping', project: project.name, orderingKey: null };
    const free = { broker: broker.id, op: 'broker.ping', orderingKey: null };

    const { body } = await api.post('/api/v1/dispatches/batch', {
      items: [...Array(8).fill(item), free, { ...item, project: 'nothing' }],
    });

    expect([body.accepted, body.refused]).toEqual([7, 3]);
    expect(body.items.map(({ problem }: { problem: { code: string } | null }) => problem?.code)).toEqual([
      ...Array(6).fill(undefined),
      ...Array(2).fill('quota_exceeded'),
      undefined,
      'not_found',
    ]);
    expect(await rows(project.id)).toBe(10);
  });

  it('keep their answers: a repeat of an accepted one is no new one, though the project is full', async () => {
    const { project, broker } = await place({ maxPending: 1 });
    const key = { 'idempotency-key': randomUUID() };

    const first = await ping(api, broker, project.name, key);
    const again = await ping(other, broker, project.name, key);

    expect([again.status, again.body.dispatch.id]).toEqual([202, first.body.dispatch.id]);
    expect(await rows(project.id)).toBe(1);
  });

  it('are done again in their project, by its rules', async () => {
    const { project, broker } = await place();
    const link = await broker.connect(cluster.hub(0).url);
    const { body } = await ping(api, broker, project.id);
    link.fail(await link.nextDispatch());
    await api.dispatch(body.dispatch.id, 10);
    const redrive = () => other.post(`/api/v1/dispatches/${body.dispatch.id}/redrive`);
    await api.call('DELETE', `${PROJECTS}/${project.id}/attachments/${broker.id}`);

    const refused = await redrive();
    await api.post(`${PROJECTS}/${project.id}/attachments`, { broker: broker.id });
    const redriven = await redrive();

    expect(refused.body.code).toBe('broker_not_attached');
    expect(redriven.body.dispatch).toMatchObject({ project: project.id, redriveOf: body.dispatch.id });
    link.cut();
  });

  it('are messages to all its agents as well, each with its own outcome and receipt', async () => {
    const { project, broker } = await place({ maxPending: 3 });
    const made = [await agentIn(project.name, broker), await agentIn(project.name, broker)];
    const [one, two] = made.map(({ body }) => body as { id: string; name: string });
    const elsewhere = await place();
    await agentIn(elsewhere.project.name, elsewhere.broker);
    const path = `${PROJECTS}/${project.name}/messages`;
    const key = { 'idempotency-key': randomUUID() };

    const first = await api.post(path, { text: 'all' }, key);
    const again = await other.post(path, { text: 'all' }, key);
    const over = await other.post(path, { text: 'more' });
    const changed = await other.post(path, { text: 'other' }, key);
    const link = await broker.connect(cluster.hub(1).url);
    const item = await link.nextDispatch();
    link.send({
      t: 'result',
      results: [{ id: item.id, attempt: item.attempt, outcome: 'succeeded', body: { runId: randomUUID() } }],
    });
    await link.next('confirm');
    const { body: listed } = await api.get(path);

    expect(first.body).toMatchObject({
      accepted: 2,
      refused: 0,
      items: [
        { agent: one?.name, dispatch: { op: 'agent.message', agent: one?.id, project: project.id } },
        { agent: two?.name, dispatch: { op: 'agent.message', agent: two?.id, project: project.id } },
      ],
    });
    const ids = ({ body: { items } }: typeof first) =>
      items.map(({ dispatch }: { dispatch: { id: string } | null }) => dispatch?.id);
    expect(ids(again)).toEqual(ids(first));
    expect(over.body).toMatchObject({
      accepted: 1,
      refused: 1,
      items: [{ problem: null }, { problem: { code: 'quota_exceeded', depth: 2, maxPending: 3 } }],
    });
    expect([changed.status, changed.body.code]).toEqual([422, 'idempotency_key_reused']);
    expect(listed.items.map(({ agent, state }: { agent: string; state: string }) => [agent, state])).toEqual([
      [one?.id, 'pending'],
      [two?.id, 'pending'],
      [one?.id, 'delivered'],
    ]);
    expect((await api.post(`${PROJECTS}/nothing/messages`, { text: 'all' })).status).toBe(404);
    await sql.query(
      `insert into agent (id, name, project_id, broker_id, runtime, spec, wanted, phase)
       select gen_random_uuid(), 'one-of-many-' || place, $1, $2, 'process', '{}', 'stopped', 'created'
       from generate_series(1, 499) place`,
      [project.id, broker.id],
    );
    expect((await api.post(path, { text: 'all' })).body).toMatchObject({
      code: 'too_many_recipients',
      most: 500,
    });
    link.cut();
  });

  it('are messages to those agents alone that the first request of its key was for, whatever became of them', async () => {
    const { project, broker } = await place();
    const made = [await agentIn(project.name, broker), await agentIn(project.name, broker)];
    const [one, two] = made.map(({ body }) => body as { id: string; name: string });
    const path = `${PROJECTS}/${project.name}/messages`;
    const key = { 'idempotency-key': randomUUID() };
    const idsOf = ({ body }: { body: { items: { agent: string; dispatch: { id: string } | null }[] } }) =>
      body.items.map(({ agent, dispatch }) => [agent, dispatch?.id]);

    const first = await api.post(path, { text: 'all' }, key);
    await agentIn(project.name, broker);
    await api.call('DELETE', `/api/v1/agents/${one?.id}`);
    const deleting = await other.post(path, { text: 'all' }, key);
    await sql.query(`update agent set phase = 'deleted' where id = $1`, [one?.id]);
    const deleted = await api.post(path, { text: 'all' }, key);
    const changed = await other.post(path, { text: 'other' }, key);
    const anew = await api.post(path, { text: 'all' }, { 'idempotency-key': randomUUID() });

    expect([first.body.accepted, first.body.items.length]).toEqual([2, 2]);
    expect(idsOf(deleting)).toEqual(idsOf(first));
    expect(idsOf(deleted)).toEqual(idsOf(first));
    expect([changed.status, changed.body.code]).toEqual([422, 'idempotency_key_reused']);
    expect(anew.body.items.map(({ agent }: { agent: string }) => agent)).toEqual([
      two?.name,
      expect.not.stringMatching(`^${one?.name}$`),
    ]);
  });

  it('are messages of which two that come at the same moment are sent once', async () => {
    const { project, broker } = await place();
    await agentIn(project.name, broker);
    await agentIn(project.name, broker);
    const key = { 'idempotency-key': randomUUID() };
    const path = `${PROJECTS}/${project.name}/messages`;

    const answers = await Promise.all([api, other, api].map((at) => at.post(path, { text: 'all' }, key)));

    for (const { body } of answers) expect(body).toMatchObject({ accepted: 2, refused: 0 });
    expect(await rows(project.id)).toBe(2);
  });

  it('are what is done to its agents, which need a broker that is attached to it', async () => {
    const { project, broker } = await place();
    const stranger = await ScriptedBroker.join(api, cluster.hub(0).url);

    const { body: agent } = await agentIn(project.name, broker);
    const refused = await agentIn(project.name, stranger);
    const started = await start(other, agent.name);
    const listed = await other.get(`/api/v1/agents?project=${project.name}`);

    expect(agent.project).toEqual({ id: project.id, name: project.name });
    expect([refused.status, refused.body.code]).toEqual([409, 'broker_not_attached']);
    expect(started.body.dispatch.project).toBe(project.id);
    expect(listed.body.items.map(({ id }: { id: string }) => id)).toEqual([agent.id]);
  });
});
