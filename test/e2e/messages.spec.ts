import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { READS } from '../broker/support/messages.js';
import type { Api } from '../support/api.js';
import { atOnce } from '../support/at-once.js';
import { BrokerProcess } from '../support/broker-process.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { HubProcess } from '../support/hub-process.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

const MANY = 100;
const LARGEST = 64 * 1024;

/** The agents write down each line that they read: what they say is what arrived. */
describe('messages to an agent', () => {
  let cluster: Cluster;
  let api: Api;
  let owner: HubProcess;
  let broker: BrokerProcess;
  let count = 0;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    api = cluster.api(0);
    owner = cluster.hub(1);
    broker = await BrokerProcess.join(api, owner.url, 'shared');
    await broker.start(api);
  }, 120_000);

  afterAll(async () => {
    await remove(broker);
    await cluster.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  beforeEach(() => {
    count += 1;
  });

  const remove = async (used: BrokerProcess) => {
    // The agents outlive their broker, so the hub is asked to end them before the broker goes.
    const { body } = await api.get(`/api/v1/agents?broker=${used.name}&limit=100`);
    await Promise.all(
      body.items.map(({ id }: { id: string }) =>
        api.call('DELETE', `/api/v1/agents/${id}`, undefined, { prefer: 'wait=30' }),
      ),
    );
    await used.remove();
  };
  const witness = (name: string, { home } = broker) => join(home, `read-by-${name}`);
  const texts = (name: string, of = broker) =>
    existsSync(witness(name, of))
      ? readFileSync(witness(name, of), 'utf8')
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line).text as string)
      : [];
  const agent = async (name: string, script = READS(witness(name)), stdin = 'messages', of = broker) => {
    const spec = { command: '/bin/sh', args: ['-c', script], stdin };
    const { body } = await api.post('/api/v1/agents', { name, broker: of.name, spec });
    await api.post(`/api/v1/agents/${name}/start`, undefined, { prefer: 'wait=20' });
    return body.id as string;
  };
  const send = (at: Api, name: string, text: string, headers: Record<string, string> = {}) =>
    at.post(`/api/v1/agents/${name}/messages`, { text }, headers);
  /** 202, or 200 where it was delivered before the answer was made. */
  const expectTaken = ({ status }: { status: number }) => {
    expect([200, 202]).toContain(status);
  };
  const keyOf = (text: string) => text.replace(' ', '-');
  const listed = async (name: string) =>
    (await api.get(`/api/v1/agents/${name}/messages?limit=500`)).body.items;
  const allDelivered = (name: string, expected: string[]) =>
    eventually(
      async () => {
        const items = await listed(name);
        expect(items.map(({ text }: { text: string }) => text).reverse()).toEqual(expected);
        expect(new Set(items.map(({ state }: { state: string }) => state))).toEqual(new Set(['delivered']));
        return true;
      },
      { withinMs: 60_000, everyMs: 200 },
    );

  /** Waits most of its time for the death of a replica to be noticed. */
  const meanwhile = atOnce();

  it('that are sent through both replicas in turns arrive once and in order, over a kill -9 of the broker', async () => {
    const name = `busy-${count}`;
    await agent(name);
    const expected = Array.from({ length: MANY }, (_, place) => `${place} ${randomUUID()}`);

    for (const [place, text] of expected.entries()) {
      expectTaken(await send(cluster.api(place % 2), name, text));
      if (place === MANY / 2) await broker.kill();
      if (place === MANY / 2 + 10) await broker.start(api);
    }

    await allDelivered(name, expected);
    expect(texts(name)).toEqual(expected);
  }, 120_000);

  meanwhile(
    'arrive once and in order over a kill -9 of the owner',
    async () => {
      const dying = await cluster.addReplica();
      const own = await BrokerProcess.join(api, dying.url, 'own');
      try {
        await own.start(api);
        const name = 'kept';
        await agent(name, READS(witness(name, own)), 'messages', own);
        const expected = Array.from({ length: MANY }, (_, place) => `${place} ${randomUUID()}`);

        for (const [place, text] of expected.entries()) {
          if (place === MANY / 2) await dying.kill();
          const at = place % 2 === 0 || place >= MANY / 2 ? api : api.at(dying.url);
          expectTaken(await send(at, name, text, { 'idempotency-key': keyOf(text) }));
        }
        // Nobody can tell from a connection that broke whether a message was taken: with its key it can be sent again.
        for (const text of expected.slice(-3))
          expectTaken(await send(cluster.api(1), name, text, { 'idempotency-key': keyOf(text) }));

        await allDelivered(name, expected);
        expect(texts(name, own)).toEqual(expected);
      } finally {
        await remove(own);
      }
    },
    120_000,
  );

  it.each([[null], ['read'], [[]], [{}], [{ runId: 7 }]])(
    'are listed also where their broker answers %j',
    async (result) => {
      const scripted = await ScriptedBroker.join(api, owner.url);
      const link = await scripted.connect(owner.url, [], {
        capabilities: ['runtime.process', 'runtime.stdin'],
      });
      const name = `odd-${scripted.name}`;
      await api.post('/api/v1/agents', {
        name,
        broker: scripted.id,
        spec: { command: 'true', stdin: 'messages' },
      });

      const { body } = await send(api, name, 'hello');
      const { id, attempt } = await link.nextDispatch();
      link.send({ t: 'result', results: [{ id, attempt, outcome: 'succeeded', body: result }] });
      await api.dispatch(body.dispatch.id, 20);

      expect(await listed(name)).toMatchObject([{ id, state: 'delivered', receipt: { runId: null } }]);
      await link.close();
    },
  );

  it('are told to be delivered once they are in its input, with a receipt', async () => {
    const name = `reader-${count}`;
    await agent(name);

    const { status, body } = await send(api, name, 'hello', { prefer: 'wait=20' });

    expect([status, body.dispatch.state]).toEqual([200, 'succeeded']);
    expect(await listed(name)).toEqual([
      {
        id: body.dispatch.id,
        from: { kind: 'person', id: expect.any(String), name: expect.any(String) },
        text: 'hello',
        sentAt: expect.any(String),
        state: 'delivered',
        receipt: { at: expect.any(String), runId: body.dispatch.result.runId },
        reason: null,
      },
    ]);
  });

  it('are told to have failed, and why, where it does not run or reads none', async () => {
    const [idle, deaf] = [`idle-${count}`, `deaf-${count}`];
    await agent(idle, 'exit 0');
    await agent(deaf, 'exec sleep 600', 'closed');

    for (const name of [idle, deaf]) await send(api, name, 'hello', { prefer: 'wait=20' });

    expect([await listed(idle), await listed(deaf)]).toMatchObject([
      [{ state: 'failed', receipt: null, reason: { code: expect.stringMatching('agent_not_') } }],
      [{ state: 'failed', receipt: null, reason: { code: 'agent_not_reading' } }],
    ]);
  });

  it('are pending while the broker is away', async () => {
    const name = `away-${count}`;
    await agent(name);
    await broker.kill();

    const { status } = await send(api, name, 'later');

    expect(status).toBe(202);
    expect(await listed(name)).toMatchObject([{ state: 'pending', receipt: null, reason: null }]);
    await broker.start(api);
    await allDelivered(name, ['later']);
  });

  it('hold as much as 64 KiB of UTF-8, and no more', async () => {
    const name = `large-${count}`;
    await agent(name);
    const largest = 'é'.repeat(LARGEST / 2);

    const fits = await send(api, name, largest, { prefer: 'wait=20' });
    const over = await send(api, name, `${largest}x`);
    const nul = await send(api, name, 'a\0b');
    const empty = await send(api, name, '');

    expect(fits.body.dispatch.state).toBe('succeeded');
    expect([over, nul, empty].map(({ status, body }) => [status, body.code])).toEqual(
      Array(3).fill([400, 'request_invalid']),
    );
    await eventually(() => texts(name).length === 1 && texts(name)[0] === largest);
  });

  it('reach each of a group once, each with its own outcome', async () => {
    const [one, two] = [`one-${count}`, `two-${count}`];
    const id = await agent(one);
    await agent(two);
    const key = { 'idempotency-key': randomUUID(), prefer: 'wait=20' };
    const body = { agents: [one, 'nobody', two, id], text: 'all' };

    const first = await api.post('/api/v1/messages', body, key);
    const again = await cluster.api(1).post('/api/v1/messages', body, key);

    expect(first.body).toMatchObject({
      accepted: 3,
      refused: 1,
      items: [
        { agent: one, dispatch: { state: 'succeeded' }, problem: null },
        { agent: 'nobody', dispatch: null, problem: { code: 'not_found' } },
        { agent: two, dispatch: { state: 'succeeded' }, problem: null },
        { agent: id, dispatch: { id: first.body.items[0].dispatch.id } },
      ],
    });
    const ids = ({ body: { items } }: typeof first) =>
      items.map(({ dispatch }: { dispatch: { id: string } | null }) => dispatch?.id);
    expect(ids(again)).toEqual(ids(first));
    expect([texts(one), texts(two)]).toEqual([['all'], ['all']]);
    const { body: trails } = await api.get(`/api/v1/trails?broker=${broker.name}&limit=500`);
    const keys = trails.items.map(({ idempotencyKey }: { idempotencyKey: string | null }) => idempotencyKey);
    expect(keys).toContain(`${key['idempotency-key']} ${id}`);
  });

  describe('under an idempotency key, once their agent was deleted', () => {
    const remove = (name: string) =>
      api.call('DELETE', `/api/v1/agents/${name}`, undefined, { prefer: 'wait=30' });

    it('are told as they were first, by the id and by the name of the agent', async () => {
      const name = `gone-${count}`;
      const id = await agent(name);
      const [byId, byName] = [{ 'idempotency-key': randomUUID() }, { 'idempotency-key': randomUUID() }];
      const first = [await send(api, id, 'hello', byId), await send(api, name, 'hello', byName)];
      await remove(name);

      const repeats = [
        await send(cluster.api(1), id, 'hello', { ...byId, prefer: 'wait=20' }),
        await send(cluster.api(1), name, 'hello', { ...byName, prefer: 'wait=20' }),
      ];
      const changed = [await send(api, id, 'other', byId), await send(api, name, 'other', byName)];
      const anew = [await send(api, id, 'hello'), await send(api, name, 'hello')];

      expect(repeats.map(({ status, body }) => [status, body.dispatch?.id])).toEqual(
        first.map(({ body }) => [200, body.dispatch.id]),
      );
      expect(changed.map(({ body }) => body.code)).toEqual(Array(2).fill('idempotency_key_reused'));
      expect(anew.map(({ status, body }) => [status, body.code])).toEqual([
        [409, 'agent_deleted'],
        [404, 'not_found'],
      ]);
    });

    it('are told to each of a group as they were first, whoever has the name by now', async () => {
      const [one, two] = [`left-${count}`, `stays-${count}`];
      await agent(one);
      const twoId = await agent(two);
      const key = { 'idempotency-key': randomUUID() };
      const body = { agents: [one, 'nobody', two, twoId], text: 'all' };
      const idsOf = ({ body: { items } }: { body: { items: { dispatch: { id: string } | null }[] } }) =>
        items.map(({ dispatch }) => dispatch?.id);
      const first = await api.post('/api/v1/messages', body, key);
      await remove(one);

      const repeat = await cluster.api(1).post('/api/v1/messages', body, key);
      await agent(one);
      const replaced = await api.post('/api/v1/messages', body, { ...key, prefer: 'wait=20' });
      const changed = await cluster.api(1).post('/api/v1/messages', { ...body, agents: [one, two] }, key);

      expect([first.body.accepted, first.body.refused]).toEqual([3, 1]);
      expect(idsOf(repeat)).toEqual(idsOf(first));
      expect(idsOf(replaced)).toEqual(idsOf(first));
      expect(await listed(one)).toEqual([]);
      expect([changed.status, changed.body.code]).toEqual([422, 'idempotency_key_reused']);
    });

    it('are not all that a repeat is told of: so is what deleted it, by its name', async () => {
      const name = `removed-${count}`;
      await agent(name);
      const key = { 'idempotency-key': randomUUID(), prefer: 'wait=30' };
      const first = await api.call('DELETE', `/api/v1/agents/${name}`, undefined, key);

      const repeat = await cluster.api(1).call('DELETE', `/api/v1/agents/${name}`, undefined, key);
      const other = await api.call('DELETE', `/api/v1/agents/${name}`);

      expect([first.status, first.body.dispatch.state]).toEqual([200, 'succeeded']);
      expect([repeat.status, repeat.body.dispatch?.id]).toEqual([200, first.body.dispatch.id]);
      expect(other.status).toBe(404);
    });
  });

  it('go to as many as 100 agents, and no more', async () => {
    const agents = Array.from({ length: 101 }, (_, place) => `nobody-${place}`);

    const most = await api.post('/api/v1/messages', { agents: agents.slice(1), text: 'all' });
    const over = await api.post('/api/v1/messages', { agents, text: 'all' });

    expect([most.status, most.body.refused]).toEqual([200, 100]);
    expect([over.status, over.body.code]).toEqual([400, 'request_invalid']);
  });

  it('are what an inspected run says that it reads; an error of the broker is passed on as it is', async () => {
    const name = `seen-${count}`;
    await agent(name);
    const { body: idle } = await api.post('/api/v1/agents', {
      name: `unseen-${count}`,
      broker: broker.name,
      spec: { command: 'true' },
    });

    const found = await cluster.api(0).get(`/api/v1/agents/${name}/inspect`);
    const refused = await cluster.api(1).get(`/api/v1/agents/${idle.id}/inspect`);

    expect(found.body).toMatchObject({ state: 'running', stdin: 'messages', output: { bytes: 0 } });
    expect(refused.body).toMatchObject({
      status: 409,
      code: 'op_failed',
      brokerError: { code: 'agent_not_running', message: expect.any(String), retryable: false },
    });
  });
});
