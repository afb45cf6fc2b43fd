import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Api } from '../support/api.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

const PROJECTS = '/api/v1/projects';
const KNOWS = { capabilities: ['runtime.process', 'attachments'] };

describe('the attachment of a broker', () => {
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

  const project = async (settings: object = {}): Promise<string> => {
    count += 1;
    return (await api.post(PROJECTS, { name: `project-${count}`, ...settings })).body.name;
  };
  /** Somebody who sees this project, and no other. */
  const memberOf = async (name: string): Promise<Api> => {
    const { body: user } = await api.post('/api/v1/users', { name: `viewer-of-${name}` });
    await api.call('PUT', `${PROJECTS}/${name}/members/${user.id}`, { role: 'viewer' });
    const { body: made } = await api.post(`/api/v1/users/${user.id}/tokens`, { name: 'of a test' });
    return new Api(cluster.hub(0).url, made.token);
  };
  const join = (options: { software?: string; shared?: boolean } = {}) =>
    ScriptedBroker.join(api, cluster.hub(0).url, undefined, options);
  const attach = (name: string, { id }: ScriptedBroker, at = api) =>
    at.post(`${PROJECTS}/${name}/attachments`, { broker: id });
  const detach = (name: string, { id }: ScriptedBroker) =>
    other.call('DELETE', `${PROJECTS}/${name}/attachments/${id}`);
  const revoke = (name: string, { id }: ScriptedBroker) =>
    other.post(`${PROJECTS}/${name}/attachments/${id}/revoke`);
  const stateOf = async (name: string, { id }: ScriptedBroker) =>
    (await other.get(`${PROJECTS}/${name}/attachments/${id}`)).body.state;
  const becomes = (state: string, name: string, broker: ScriptedBroker) =>
    eventually(async () => (await stateOf(name, broker)) === state, { withinMs: 12_000, everyMs: 100 });

  /** Presence is written beside the link: it may be there a moment later. */
  const present = (broker: ScriptedBroker) =>
    eventually(async () => {
      const { rowCount } = await sql.query(
        `select from broker_presence where broker_id = $1 and state = 'online'`,
        [broker.id],
      );
      return rowCount === 1;
    });

  it('is registering until the broker has said what it can do, and then as its presence is', async () => {
    const [name, broker] = [await project(), await join()];

    const attached = await attach(name, broker);
    const link = await broker.connect(cluster.hub(1).url, [], { health: 'degraded' });

    expect(attached.body).toMatchObject({
      state: 'registering',
      readOnly: false,
      exclusive: true,
      broker: { id: broker.id, name: broker.name },
      project: { name },
      detachedAt: null,
    });
    await becomes('degraded', name, broker);
    link.send({ t: 'heartbeat', health: 'online', load: null, running: 0 });
    await becomes('online', name, broker);
    await link.close();
  });

  it('is made once, whoever asks and how often', async () => {
    const [name, broker] = [await project(), await join()];
    const link = await broker.connect(cluster.hub(0).url);
    await present(broker);

    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, place) => attach(name, broker, cluster.api(place % 2))),
    );

    expect(new Set(answers.map(({ status, body }) => `${status} ${body.id} ${body.state}`)).size).toBe(1);
    expect(answers[0]?.body.state).toBe('online');
    await link.close();
  });

  it('to two projects at once is refused to one of them, which is not told where the broker is', async () => {
    const [one, two, broker] = [await project(), await project(), await join()];
    const link = await broker.connect(cluster.hub(0).url);

    const answers = await Promise.all([attach(one, broker), attach(two, broker, other)]);

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const [refused] = answers.filter(({ status }) => status === 409);
    expect(refused?.body.code).toBe('attachment_conflict');
    expect(JSON.stringify(refused?.body)).not.toMatch(new RegExp(`${one}|${two}|${broker.id}`));
    await link.close();
  });

  it('to many projects is had by a broker that joined as shared', async () => {
    const [one, two, broker] = [await project(), await project(), await join({ shared: true })];

    const answers = [await attach(one, broker), await attach(two, broker)];
    const { body } = await other.get(`/api/v1/brokers/${broker.name}/attachments`);

    expect(answers.map(({ status, body: { exclusive } }) => [status, exclusive])).toEqual([
      [200, false],
      [200, false],
    ]);
    expect(body.items.map((item: { project: { name: string } }) => item.project.name)).toEqual([two, one]);
  });

  it('stands beside ownership and presence wherever a broker is shown, as far as its project is seen', async () => {
    const [one, two] = [await project({ minBrokerVersion: '1.10' }), await project()];
    const broker = await join({ shared: true, software: 'scripted/1.9' });
    const attached = [await attach(one, broker), await attach(two, broker)];
    await detach(two, broker);
    const viewer = await memberOf(one);
    const shown = async (to: Api) => {
      const { body: each } = await to.get(`/api/v1/brokers/${broker.name}`);
      const { body: page } = await to.get('/api/v1/brokers?limit=500');
      return [each, page.items.find(({ id }: { id: string }) => id === broker.id)];
    };

    const byAll = [...(await shown(api)), (await api.post(`/api/v1/brokers/${broker.id}/cordon`)).body];
    const byViewer = await shown(viewer);

    const [inOne, inTwo] = attached.map(({ body }) => body.project);
    const admitted = { project: inOne, state: 'registering', readOnly: true, detachedAt: null };
    const left = { project: inTwo, state: 'offline', readOnly: false, detachedAt: expect.any(String) };
    const times = { changedAt: expect.any(String), ageS: expect.any(Number) };
    for (const body of byAll) {
      expect(body.attachments).toEqual([
        { ...admitted, ...times },
        { ...left, ...times },
      ]);
      expect(body.attachmentsTotal).toBe(2);
    }
    for (const body of byViewer) {
      expect(body.attachments).toEqual([{ ...admitted, ...times }]);
      expect(body.attachmentsTotal).toBe(1);
    }
  });

  it('is told of twenty projects beside its broker, with how many there are', async () => {
    const broker = await join({ shared: true });
    const names = [];
    for (let place = 0; place <= 20; place += 1) names.push(await project());
    for (const name of names) expect((await attach(name, broker)).status).toBe(200);

    const { attachments, attachmentsTotal } = (await api.get(`/api/v1/brokers/${broker.id}`)).body;

    expect(attachmentsTotal).toBe(21);
    expect(attachments.map((each: { project: { name: string } }) => each.project.name)).toEqual(
      names.reverse().slice(0, 20),
    );
  });

  it('is ended by a detach, which frees the slot, can be repeated, and is outlived by no sign of life', async () => {
    const [one, two, broker] = [await project(), await project(), await join()];
    const link = await broker.connect(cluster.hub(0).url);
    await attach(one, broker);

    const statuses = [(await detach(one, broker)).status, (await detach(one, broker)).status];
    link.send({ t: 'heartbeat', health: 'degraded', load: null, running: 0 });
    const moved = await attach(two, broker);
    await detach(two, broker);
    await link.close();
    const next = await broker.connect(cluster.hub(1).url);

    expect(statuses).toEqual([204, 204]);
    expect(moved.status).toBe(200);
    // The other project's attachment follows the presence within a turn; the detached ones had the same time.
    const witness = await project();
    await attach(witness, broker);
    next.send({ t: 'heartbeat', health: 'degraded', load: null, running: 0 });
    await becomes('degraded', witness, broker);
    expect([await stateOf(one, broker), await stateOf(two, broker)]).toEqual(['offline', 'offline']);
    await next.close();
  });

  it('is taken up again under the id that it had', async () => {
    const [name, broker] = [await project(), await join()];
    const first = await attach(name, broker);
    await detach(name, broker);

    const second = await attach(name, broker);

    expect(second.body).toMatchObject({ id: first.body.id, state: 'registering', detachedAt: null });
  });

  it('that was revoked stays so for ever', async () => {
    const [name, broker] = [await project(), await join()];
    await attach(name, broker);

    const revoked = await revoke(name, broker);
    const again = await attach(name, broker);
    const detached = await detach(name, broker);
    const link = await broker.connect(cluster.hub(0).url);

    expect([revoked.status, revoked.body.state]).toEqual([200, 'revoked']);
    expect([again.status, again.body.code]).toEqual([409, 'attachment_revoked']);
    expect(detached.status).toBe(204);
    expect(await stateOf(name, broker)).toBe('revoked');
    expect((await attach(await project(), broker)).status).toBe(200);
    await link.close();
  });

  it('is off while the lease of the broker is over, and on with its next link if nobody took the slot', async () => {
    const [one, two, broker] = [await project(), await project(), await join()];
    const link = await broker.connect(cluster.hub(0).url);
    await attach(one, broker);
    await link.close();
    await becomes('offline', one, broker);

    const back = await broker.connect(cluster.hub(1).url);
    // Presence is written beside the link, and the attachments follow it.
    await becomes('online', one, broker);
    back.cut();
    await eventually(
      async () => (await api.get(`/api/v1/brokers/${broker.id}`)).body.ownership.replica === null,
    );
    await sql.query(`update broker_presence set state = 'unreachable' where broker_id = $1`, [broker.id]);
    await becomes('offline', one, broker);
    const taken = await attach(two, broker);
    const last = await broker.connect(cluster.hub(0).url);

    expect(taken.status).toBe(200);
    await becomes('online', two, broker);
    expect(await stateOf(one, broker)).toBe('offline');
    await last.close();
  });

  it('is not to be had by nobody, to nothing, or in a project that is archived', async () => {
    const [name, archived, broker] = [await project(), await project(), await join()];
    await attach(archived, broker);
    await api.post(`${PROJECTS}/${archived}/archive`);

    const answers = [
      await api.post(`${PROJECTS}/${name}/attachments`, { broker: 'nobody' }),
      await attach('nothing', broker),
      await detach(name, broker),
      await revoke(name, broker),
      await attach(archived, broker),
    ];

    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      ...Array(4).fill([404, 'not_found']),
      [409, 'project_archived'],
    ]);
    expect(await stateOf(archived, broker)).toBe('offline');
    expect((await attach(name, broker)).status).toBe(200);
  });

  it('is told to the broker in its welcome, and when it changes, through whichever replica', async () => {
    const [name, broker] = [await project(), await join({ software: 'scripted/1.9' })];
    const { body: attached } = await attach(name, broker);
    const notice = { project: attached.project.id, name, readOnly: false };
    const hello = { ...KNOWS, software: 'scripted/1.9' };
    const link = await broker.dial(cluster.hub(1).url);
    link.send(broker.hello(hello));

    const welcome = await link.next('welcome');
    await api.call('PATCH', `${PROJECTS}/${name}`, { minBrokerVersion: '1.10' });
    const floored = await link.next('attachment');
    await detach(name, broker);
    const detached = await link.next('attachment');
    await attach(name, broker);
    const again = await link.next('attachment');
    const newer = await broker.dial(cluster.hub(0).url);
    newer.send(broker.hello({ ...KNOWS, software: 'scripted/1.10' }));

    expect(welcome.attachments).toEqual([{ ...notice, state: 'online' }]);
    expect(floored.attachments).toEqual([{ ...notice, state: 'online', readOnly: true }]);
    expect(detached.attachments).toEqual([{ ...notice, state: 'offline', readOnly: true }]);
    expect(again.attachments).toEqual([{ ...notice, state: 'online', readOnly: true }]);
    expect((await newer.next('welcome')).attachments).toEqual([{ ...notice, state: 'online' }]);
    link.cut();
    await newer.close();
  });

  it('is told to no broker that would not understand it', async () => {
    const [name, broker] = [await project(), await join()];
    const link = await broker.connect(cluster.hub(0).url);

    await attach(name, broker, other);
    await api.ping(broker.id);
    link.succeed(await link.nextDispatch());
    await link.next('confirm');

    expect(link.count('attachment')).toBe(0);
    await link.close();
  });

  it('stands in the roster beside who owns the broker and whether it lives', async () => {
    const [name, old, fresh] = [
      await project({ minBrokerVersion: '1.10' }),
      await join({ software: 'scripted/1.9' }),
      await join({ software: 'scripted/1.10' }),
    ];
    await attach(name, old);
    await attach(name, fresh);
    const link = await fresh.connect(cluster.hub(1).url, [], {
      software: 'scripted/1.10',
      labels: { zone: 'eu' },
    });
    const roster = async (query = '') => (await other.get(`${PROJECTS}/${name}/brokers${query}`)).body;
    const names = async (query: string) =>
      (await roster(query)).items.map((item: { name: string }) => item.name);
    await eventually(async () => (await roster()).items[0].attachment.state === 'online');

    const { items } = await roster();
    const first = await roster('?limit=1');

    expect(items).toMatchObject([
      {
        name: fresh.name,
        ownership: { replica: cluster.hub(1).replicaId, epoch: 1 },
        presence: { state: 'online' },
        attachment: { state: 'online', readOnly: false, detachedAt: null },
      },
      {
        name: old.name,
        ownership: null,
        presence: null,
        attachment: { state: 'registering', readOnly: true, detachedAt: null },
      },
    ]);
    expect(await names(`?limit=1&cursor=${first.nextCursor}`)).toEqual([old.name]);
    expect(await names('?state=registering')).toEqual([old.name]);
    expect(await names('?label=zone%3Deu')).toEqual([fresh.name]);
    expect(await names('?presence=offline')).toEqual([]);
    expect((await api.get(`${PROJECTS}/${name}/brokers?state=unknown`)).status).toBe(400);
    await link.close();
  });
});
