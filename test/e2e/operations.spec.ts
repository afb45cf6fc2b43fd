import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { DISPLACED_BY } from '../../src/protocol/close-code.js';
import { LIMITS, TIMES } from '../../src/protocol/limits.js';
import type { Api } from '../support/api.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker, type ScriptedLink } from '../support/scripted-broker.js';

const BROKERS = '/api/v1/brokers';

describe('an operator', () => {
  let cluster: Cluster;
  let api: Api;
  let other: Api;
  let sql: pg.Client;
  /** The end of a link that is released behind the back of its replica, which is not told. */
  let unhinted: Promise<{ code: number; reason: string }>;
  /** The end of a link that a newer one of the same broker has displaced, and that it does not say goodbye on. */
  let lingering: Promise<{ code: number; reason: string; tookMs: number }>;
  let moving: ScriptedBroker;
  let movedTo: ScriptedLink;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    api = cluster.api(0);
    other = cluster.api(1);
    sql = new pg.Client(cluster.database.url);
    await sql.connect();
    moving = await join();
    const left = await moving.connect(cluster.hub(0).url);
    movedTo = await moving.connect(cluster.hub(0).url);
    lingering = shortly(left.closed).then(({ end, tookMs }) => ({ ...end, tookMs }));
    const broker = await join();
    unhinted = (await broker.connect(cluster.hub(1).url)).closed;
    await sql.query('update broker_connection set replica_id = null where broker_id = $1', [broker.id]);
  }, 60_000);

  afterAll(async () => {
    await sql.end();
    await cluster.stop();
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  }, 30_000);

  const join = () => ScriptedBroker.join(api, cluster.hub(0).url);
  const get = async ({ id }: ScriptedBroker, at = other) => (await at.get(`${BROKERS}/${id}`)).body;
  const act = (verb: string, { id }: ScriptedBroker, body?: object, at = api) =>
    at.post(`${BROKERS}/${id}/${verb}`, body);
  const patch = ({ id }: ScriptedBroker, body: object, ifMatch?: string) =>
    api.call('PATCH', `${BROKERS}/${id}`, body, ifMatch === undefined ? {} : { 'if-match': ifMatch });
  const history = async ({ id }: ScriptedBroker, query = '') =>
    (await other.get(`${BROKERS}/${id}/history${query}`)).body;
  const shortly = async <T>(closing: Promise<T>): Promise<{ end: T; tookMs: number }> => {
    const from = performance.now();
    return { end: await closing, tookMs: performance.now() - from };
  };

  it('learns who owned a broker at any moment, from any replica', async () => {
    const broker = await join();
    const first = await broker.connect(cluster.hub(0).url);
    const second = await broker.connect(cluster.hub(1).url);
    // More bytes than a close carries.
    second.send({ t: 'goodbye', reason: 'ü'.repeat(100) });
    expect(await second.closed).toEqual({ code: 1000, reason: 'ü'.repeat(60) });
    first.cut();

    const { items } = await history(broker);
    const page = await history(broker, '?limit=1');
    const { items: then } = await history(broker, `?at=${items[1].from}`);
    const { items: before } = await history(broker, '?at=2026-01-01T00:00:00Z');
    const wrong = await other.get(`${BROKERS}/${broker.id}/history?at=yesterday`);
    const strange = await other.get(
      `${BROKERS}/${broker.id}/history?at=${items[1].from}&cursor=${page.nextCursor}`,
    );

    expect(items).toMatchObject(
      [
        { replica: { id: cluster.hub(1).replicaId }, epoch: 2, from: items[1].to, reason: /^goodbye/ },
        { replica: { id: cluster.hub(0).replicaId }, epoch: 1, reason: 'newer_connection' },
      ].map(({ reason, ...stay }) => ({ ...stay, reason: expect.stringMatching(reason) })),
    );
    expect((await history(broker, `?limit=1&cursor=${page.nextCursor}`)).items).toEqual([items[1]]);
    expect([then, before]).toEqual([[items[1]], []]);
    expect([wrong.status, strange.status]).toEqual([400, 400]);
  });

  it('sees that a copy of a broker is in use, and the third time in a minute that its key is flagged', async () => {
    const broker = await join();
    const copy = () => broker.connect(cluster.hub(0).url, [], { bootId: randomUUID() });
    const original = await broker.connect(cluster.hub(1).url);
    expect(await get(broker)).toMatchObject({ displacedAt: null, keyFlaggedAt: null });

    const links = [await copy()];
    const { end } = await shortly(original.closed);
    const once = await get(broker);
    links.push(await copy(), await copy());

    expect(end).toEqual({ code: 4409, reason: DISPLACED_BY.another });
    expect(once).toMatchObject({ displacedAt: expect.any(String), keyFlaggedAt: null });
    expect(await get(broker)).toMatchObject({ keyFlaggedAt: expect.any(String) });
    const { body: kept } = await cluster.api(1).get(`/api/v1/audit?act=broker.displace&subject=${broker.id}`);
    expect(kept.items.map(({ detail }: { detail: object }) => detail)).toMatchObject([
      { flagged: true, bootId: expect.any(String), former: { replicaId: cluster.hub(0).replicaId } },
      { flagged: false },
      { flagged: false, former: { replicaId: cluster.hub(1).replicaId, bootId: broker.bootId } },
    ]);
    await cluster.hub(0).line(({ brokerId, flagged }) => brokerId === broker.id && flagged === true);
    await links[2]?.close();
  });

  it('kicks a broker off any replica, with a reason, and it connects again', async () => {
    const broker = await join();
    const link = await broker.connect(cluster.hub(1).url);
    const { status } = await act('kick', broker, { reason: 'to see it move' });

    const { end, tookMs } = await shortly(link.closed);
    const again = await broker.connect(cluster.hub(0).url);
    const [, kicked] = (await history(broker)).items;
    await again.close();

    expect(status).toBe(200);
    expect(end).toEqual({ code: 1000, reason: 'kicked: to see it move' });
    expect(tookMs).toBeLessThan(1_000);
    expect(kicked).toMatchObject({ epoch: 1, reason: 'kicked: to see it move' });
    expect((await act('kick', broker)).body.code).toBe('broker_offline');
    expect((await act('kick', broker, { reason: 'ä' })).status).toBe(400);
  });

  it('revokes a broker: its links are cut wherever they are, and it is let in nowhere', async () => {
    const broker = await join();
    const token = await broker.accessToken(cluster.hub(0).url);
    const older = await broker.connect(cluster.hub(0).url);
    const newer = await broker.connect(cluster.hub(1).url);
    const revoked = await act('revoke', broker);

    const { end, tookMs } = await shortly(Promise.all([older.closed, newer.closed]));

    expect(end).toMatchObject([{ code: 4403 }, { code: 4403 }]);
    expect(tookMs).toBeLessThan(1_000);
    expect([revoked.status, revoked.body.revokedAt]).toEqual([200, expect.any(String)]);
    await expect(broker.accessToken(cluster.hub(1).url)).rejects.toThrow('broker_revoked');
    await expect(broker.dial(cluster.hub(1).url, token)).rejects.toThrow('403');
    expect((await api.ping(broker.id)).status).toBe(404);
    expect((await history(broker)).items[0]).toMatchObject({ epoch: 2, reason: 'revoked' });
    const answers = [await act('cordon', broker), await act('drain', broker), await act('revoke', broker)];
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 200]);
    const { body: project } = await api.post('/api/v1/projects', { name: `of-${broker.name}` });
    const attached = await api.post(`/api/v1/projects/${project.id}/attachments`, { broker: broker.id });
    expect([attached.status, attached.body.code]).toEqual([403, 'broker_revoked']);
  });

  it('cordons a broker: no new agents, while those that are there are started and spoken to', async () => {
    const broker = await join();
    const link = await broker.connect(cluster.hub(1).url);
    const agent = (name: string, at = api) =>
      at.post('/api/v1/agents', { name, broker: broker.name, spec: { command: 'true' } });
    const there = `there-${broker.name}`;
    await agent(there);

    const cordoned = await act('cordon', broker);
    const [refused, started, pinged] = [
      await agent(`new-${broker.name}`, other),
      await other.post(`/api/v1/agents/${there}/start`),
      await api.ping(broker.id),
    ];
    const back = await act('uncordon', broker, undefined, other);

    expect(cordoned.body.service).toMatchObject({ state: 'cordoned', since: expect.any(String) });
    expect([refused.status, refused.body.code]).toEqual([409, 'broker_cordoned']);
    expect([started.status, pinged.status]).toEqual([202, 202]);
    expect(back.body.service).toEqual({ state: 'open', since: null, ageS: null });
    expect((await agent(`new-${broker.name}`, other)).status).toBe(201);
    link.cut();
  });

  it('drains a broker: what runs there is told to stop, nothing is started, and then it is drained', async () => {
    const broker = await join();
    const link = await broker.connect(cluster.hub(1).url);
    const name = `drained-${broker.name}`;
    await api.post('/api/v1/agents', { name, broker: broker.name, spec: { command: 'true' } });
    await api.post(`/api/v1/agents/${name}/start`);
    const phaseIs = (phase: string) =>
      eventually(async () => (await api.get(`/api/v1/agents/${name}`)).body.phase === phase, {
        withinMs: 10_000,
      });
    link.succeed(await link.nextDispatch());
    await phaseIs('running');

    const draining = await act('drain', broker, undefined, other);
    const stop = await link.nextDispatch();
    const restarted = await api.post(`/api/v1/agents/${name}/restart`);
    const meanwhile = await get(broker);
    link.succeed(stop);
    await eventually(async () => (await get(broker)).service.state === 'drained', { withinMs: 10_000 });

    expect(stop.op).toBe('agent.stop');
    expect([draining.body.service.state, meanwhile.service.state]).toEqual(['draining', 'draining']);
    expect([restarted.status, restarted.body.code]).toEqual([409, 'broker_draining']);
    expect((await api.get(`/api/v1/agents/${name}`)).body).toMatchObject({
      phase: 'stopped',
      wanted: 'stopped',
    });
    expect((await api.post(`/api/v1/agents/${name}/start`)).body.code).toBe('broker_draining');
    await act('uncordon', broker);
    expect((await api.post(`/api/v1/agents/${name}/start`)).status).toBe(202);
    link.cut();
  }, 30_000);

  it('renames and labels a broker as it was read, and finds it by all that is known of it', async () => {
    const [broker, taken] = [await join(), await join()];
    const link = await broker.connect(cluster.hub(1).url, [], {
      labels: { own: 'x' },
      software: 'scripted/3.7',
    });
    const etag = (await api.get(`${BROKERS}/${broker.id}`)).headers.get('etag') ?? '';
    const name = `renamed-${broker.name}`;

    const changed = await patch(broker, { name, labels: { 'rack/row': 'a=b' } }, etag);
    const answers = [
      await patch(broker, { labels: {} }, etag),
      await patch(broker, { name: taken.name }),
      await patch(broker, { name: 'Not A Name' }),
      await patch(broker, { labels: { zone: 3 } }),
      await patch(broker, { capabilities: [] }),
    ];
    await eventually(async () => (await get(broker)).presence !== null);
    const list = async (query: string) => (await other.get(`${BROKERS}?${query}`)).body;
    const found = async (query: string) => (await list(query)).items.map(({ id }: { id: string }) => id);

    expect(changed.body).toMatchObject({ name, labels: { own: 'x', 'rack/row': 'a=b' }, revision: 2 });
    expect(changed.headers.get('etag')).toBe('"2"');
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [412, 'revision_stale'],
      [409, 'broker_name_taken'],
      ...Array(3).fill([400, 'request_invalid']),
    ]);
    const ways = ['label=own%3Dx&label=rack/row%3Da%3Db', 'version=3.7&owner=' + cluster.hub(1).replicaId];
    for (const query of [...ways, 'version=3.7&presence=online&service=open'])
      expect(await found(query)).toEqual([broker.id]);
    expect(await found('version=3.7&owner=none')).toEqual([]);
    for (const query of ['label=x', 'version=3', 'presence=away', 'service=none'])
      expect((await other.get(`${BROKERS}?${query}`)).status).toBe(400);
    const { nextCursor } = await list('owner=none&limit=1');
    expect((await other.get(`${BROKERS}?owner=none&limit=1&cursor=${nextCursor}`)).status).toBe(200);
    expect((await other.get(`${BROKERS}?limit=1&cursor=${nextCursor}`)).status).toBe(400);
    link.cut();
    await eventually(async () => (await found('version=3.7&owner=none')).length === 1);
    expect(await get(broker)).toMatchObject({
      presence: { lastSeenAt: expect.any(String), ageS: expect.any(Number) },
      ownership: { replica: null, ageS: expect.any(Number) },
    });
  });

  it('gives a broker as many labels as 64, and is refused one more, whichever were there before', async () => {
    const broker = await join();
    const labels = (from: number, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_none, at) => [`l${from + at}`, '']));

    const most = await patch(broker, { labels: labels(0, LIMITS.labels) });
    const more = await patch(broker, { labels: labels(LIMITS.labels, 1) });
    const other = await patch(broker, { labels: { ...labels(LIMITS.labels, 1), l0: null } });

    expect(most.status).toBe(200);
    expect([more.status, more.body]).toEqual([
      400,
      expect.objectContaining({
        code: 'request_invalid',
        fields: [
          {
            path: 'labels',
            rule: 'must leave the broker at most 64 labels, its own among them, or no more than it has',
          },
        ],
      }),
    ]);
    expect(other.status).toBe(200);
    expect(Object.keys((await get(broker)).labels)).toHaveLength(LIMITS.labels);
  });

  it('is told how a broker comes to be linked again, without a secret or a word in its place', async () => {
    const broker = await join();
    const way = async () => (await other.get(`${BROKERS}/${broker.id}/connection`)).body;

    const { isAdmitted, start, replace } = await way();
    await act('revoke', broker);

    expect([isAdmitted, start]).toEqual([true, 'fairlead broker start']);
    expect(replace.join('\n')).toContain(`broker join ${cluster.hub(1).url} --name ${broker.name}`);
    expect(JSON.stringify(replace)).not.toMatch(/--token|flj_|</);
    expect(await way()).toMatchObject({ isAdmitted: false, start: null });
  });

  it('is told where there is no such broker', async () => {
    const calls = ['cordon', 'uncordon', 'drain', 'kick', 'revoke'].map((verb) =>
      api.post(`${BROKERS}/${randomUUID()}/${verb}`),
    );
    calls.push(api.get(`${BROKERS}/nobody/history`), api.call('PATCH', `${BROKERS}/nobody`, {}));

    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(Array(7).fill(404));
  });

  it('sees a broker move without haste: the link that it left is read for ten seconds, and then closed', async () => {
    const { code, reason, tookMs } = await lingering;

    expect([code, reason]).toEqual([4409, DISPLACED_BY.itself]);
    expect(Math.abs(tookMs - TIMES.displacedLingerMs)).toBeLessThan(2_000);
    // What compares the links of a replica with their rows has seen both meanwhile.
    await api.ping(moving.id);
    expect((await movedTo.nextDispatch()).op).toBe('broker.ping');
    movedTo.cut();
  }, 20_000);

  it('need not trust in hints: a link that its row does not know is closed by the clock', async () => {
    expect(await unhinted).toMatchObject({ code: 1001 });
  }, 20_000);
});
