import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { HubProcess } from '../support/hub-process.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { DatabaseProxy } from './support/database-proxy.js';

/** A command of this lane is stored, and claimed by a statement of its own. */
const CLAIMED_APART = { lane: 'bulk' };

describe('a replica whose connection breaks', () => {
  let cluster: Cluster;
  let proxy: DatabaseProxy;
  let hub: HubProcess;
  let broker: ScriptedBroker;
  let api: ReturnType<Cluster['api']>;

  beforeAll(async () => {
    cluster = await Cluster.start(1);
    proxy = await DatabaseProxy.start(cluster.database.url);
    hub = await cluster.addReplica({ DATABASE_URL: proxy.url });
    api = cluster.api(1);
  });

  afterAll(async () => {
    await cluster.stop();
    await proxy.stop();
  });

  beforeEach(async () => {
    broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
  });

  it('after a claim was committed sends what it claimed all the same', async () => {
    const link = await broker.connect(hub.url);
    const broken = proxy.lose('answer', 'claim_by_ids_of_one');
    const { body } = await api.ping(broker.id, CLAIMED_APART);
    await broken;

    const dispatch = await link.nextDispatch(5_000);
    link.succeed(dispatch);

    expect(dispatch).toMatchObject({ id: body.dispatch.id, attempt: 1 });
    expect(await api.dispatch(dispatch.id, 5)).toMatchObject({ state: 'succeeded', attempt: 1 });
    await link.close();
  });

  it.each([
    ['the first of its broker', false, 'insert_dispatches_handing_off'],
    ['one alone', true, 'insert_dispatches_handing_off_lean_of_one'],
  ])(
    'after a command was stored as claimed, %s, sends it all the same',
    async (_which, isKnown, statement) => {
      const link = await broker.connect(hub.url);
      if (isKnown) {
        await api.ping(broker.id, { orderingKey: null });
        link.succeed(await link.nextDispatch());
      }
      const broken = proxy.lose('answer', statement);
      const { status, body } = await api.ping(broker.id);
      await broken;

      const dispatch = await link.nextDispatch(5_000);
      link.succeed(dispatch);

      expect(status).toBe(202);
      expect(dispatch).toMatchObject({ id: body.dispatch.id, attempt: 1 });
      expect(await api.dispatch(dispatch.id, 5)).toMatchObject({ state: 'succeeded', attempt: 1 });
      await link.close();
    },
  );

  it('after a command was committed finds it on record, accepts it once, and wakes its owner', async () => {
    const link = await broker.connect(cluster.hub(0).url);
    const broken = proxy.lose('answer', 'insert_dispatches');

    const { status, body } = await api.ping(broker.id);
    await broken;
    const dispatch = await link.nextDispatch(4_000);
    link.succeed(dispatch);

    expect(status).toBe(202);
    expect(dispatch.id).toBe(body.dispatch.id);
    expect(await api.dispatch(dispatch.id, 5)).toMatchObject({ state: 'succeeded', attempt: 1 });
    await link.close();
  });

  it('before a command reached the database does not say that it was refused', async () => {
    const broken = proxy.lose('question', 'insert_dispatches');

    const { status, body } = await api.ping(broker.id);
    await broken;

    expect(status).toBe(503);
    expect(body).toMatchObject({ code: 'outcome_unknown', dispatchId: expect.any(String) });
  });

  it('while the rows are looked up does not let others wait', async () => {
    const broken = proxy.lose('question', 'insert_dispatches');
    const lost = api.ping(broker.id);
    await broken;

    const first = await Promise.race([lost, api.ping(broker.id)]);

    expect(first.status).toBe(202);
    expect((await lost).body).toMatchObject({ code: 'outcome_unknown' });
  });

  it('after a command was accepted does not say that it was refused when it cannot be read', async () => {
    const broken = proxy.lose('question', 'find_dispatches');

    const { status, body } = await api.ping(broker.id);
    await broken;

    expect(status).toBe(503);
    expect(body).toMatchObject({ code: 'outcome_unknown' });
    expect(await api.dispatch(body.dispatchId)).toMatchObject({ state: 'pending' });
  });

  const newAgent = (name = `a-${randomUUID().slice(0, 8)}`) => ({
    name,
    broker: broker.id,
    spec: { command: 'true' },
  });

  it('after an agent was put on record and told to start answers with both, and wakes the owner', async () => {
    const link = await broker.connect(cluster.hub(0).url);
    const agent = newAgent();
    const brokenUnderCreate = proxy.lose('answer', 'commit');
    const created = await api.post('/api/v1/agents', agent);
    await brokenUnderCreate;
    const brokenUnderStart = proxy.lose('answer', 'commit');

    const started = await api.post(`/api/v1/agents/${agent.name}/start`);
    await brokenUnderStart;
    const dispatch = await link.nextDispatch(4_000);
    link.succeed(dispatch);

    expect([created.status, started.status]).toEqual([201, 202]);
    expect(dispatch).toMatchObject({ id: started.body.dispatch.id, attempt: 1, op: 'agent.start' });
    await link.close();
  });

  it('before either was committed says that it is not known, with the id', async () => {
    const agent = newAgent();
    await api.post('/api/v1/agents', agent);
    const brokenUnderStart = proxy.lose('question', 'commit');
    const starting = api.post(`/api/v1/agents/${agent.name}/start`);
    await brokenUnderStart;
    const brokenUnderCreate = proxy.lose('question', 'commit');
    const creating = api.post('/api/v1/agents', newAgent());
    await brokenUnderCreate;

    const answers = await Promise.all([starting, creating]);

    expect(answers.map(({ status }) => status)).toEqual([503, 503]);
    expect(answers.map(({ body }) => body)).toEqual([
      expect.objectContaining({ code: 'outcome_unknown', dispatchId: expect.any(String) }),
      expect.objectContaining({ code: 'outcome_unknown', agentId: expect.any(String) }),
    ]);
    const { body } = await api.get(`/api/v1/agents/${agent.name}`);
    expect(body).toMatchObject({ phase: 'created', dispatchId: null });
  });

  it('before the commit was asked for says at once that nothing was done', async () => {
    const agent = newAgent();
    await api.post('/api/v1/agents', agent);
    const broken = proxy.lose('question', 'step_agent');

    const { status, body } = await api.post(`/api/v1/agents/${agent.name}/start`);
    await broken;

    expect([status, body.code]).toEqual([503, 'database_unavailable']);
    expect((await api.get(`/api/v1/agents/${agent.name}`)).body.phase).toBe('created');
  });

  it('after an ack was told writes it later', async () => {
    const link = await broker.connect(hub.url);
    await api.ping(broker.id);
    const dispatch = await link.nextDispatch();
    const broken = proxy.lose('question', 'ack_dispatches');

    link.ack(dispatch);
    await broken;

    await eventually(async () => (await api.dispatch(dispatch.id)).state === 'running');
    await link.close();
  });

  it('after an ending was committed confirms it, and ends nothing twice', async () => {
    const link = await broker.connect(hub.url);
    await api.ping(broker.id);
    const dispatch = await link.nextDispatch();
    const broken = proxy.lose('answer', 'settle_dispatches_of_one');

    link.succeed(dispatch);
    await broken;

    expect((await link.next('confirm')).ids).toEqual([dispatch.id]);
    const states = (await api.trail(dispatch.id)).map(({ state }) => state);
    expect(states).toEqual(['pending', 'claimed', 'succeeded']);
    await link.close();
  });

  it('after an inventory was taken takes it again, and puts back once what was never begun', async () => {
    const first = await broker.connect(hub.url);
    await api.ping(broker.id);
    const { id } = await first.nextDispatch();
    first.cut();
    const broken = proxy.lose('answer', 'reconcile_inventory');

    const link = await broker.connect(hub.url);
    await broken;
    const again = await link.nextDispatch();
    link.succeed(again);

    expect(again).toMatchObject({ id, attempt: 2 });
    expect(await api.dispatch(id, 5)).toMatchObject({ state: 'succeeded', attempt: 2 });
    const reasons = (await api.trail(id)).flatMap(({ reason }) => reason ?? []);
    expect(reasons).toEqual(['never_begun']);
    await link.close();
  });
});

describe('a commit that fails', () => {
  let cluster: Cluster;
  let sql: pg.Client;
  let broker: ScriptedBroker;
  let known = 0;

  beforeAll(async () => {
    cluster = await Cluster.start(1);
    sql = new pg.Client(cluster.database.url);
    await sql.connect();
    await sql.query(`
      create function refuse() returns trigger language plpgsql as $$
      begin raise exception 'refused at the commit' using errcode = '53100'; end $$`);
  });

  beforeEach(async () => {
    broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
  });

  afterEach(mend);

  afterAll(async () => {
    await sql.end();
    await cluster.stop();
  });

  /** From now on the statement runs to its end, and the commit fails. */
  async function refuse(change: string, when: string): Promise<void> {
    known = cluster.hub(0).lines.length;
    await sql.query(`
      create constraint trigger refused after ${change} on broker_dispatch
      deferrable initially deferred for each row when (${when}) execute function refuse()`);
  }

  /** Resolves when the replica has met such a failure. */
  async function refused(): Promise<void> {
    const { lines } = cluster.hub(0);
    await eventually(() =>
      lines.slice(known).some((line) => JSON.stringify(line).includes('refused at the commit')),
    );
  }

  async function mend(): Promise<void> {
    await sql.query('drop trigger if exists refused on broker_dispatch');
  }

  it('is never answered as an acceptance, and leaves nothing behind', async () => {
    await refuse('insert', `new.broker_id = '${broker.id}'`);

    const { status } = await cluster.api(0).ping(broker.id);

    expect(status).toBe(503);
    const { rowCount } = await sql.query('select from broker_dispatch where broker_id = $1', [broker.id]);
    expect(rowCount).toBe(0);
  });

  it('of a claim sends nothing: what is on the wire is on record', async () => {
    const link = await broker.connect(cluster.hub(0).url);
    await refuse('update', `new.broker_id = '${broker.id}' and new.state = 'claimed'`);
    const { body } = await cluster.api(0).ping(broker.id, CLAIMED_APART);
    await refused();

    expect(link.count('dispatch')).toBe(0);
    await mend();

    const dispatch = await link.nextDispatch();
    expect(dispatch).toMatchObject({ id: body.dispatch.id, attempt: 1 });
    link.succeed(dispatch);
    await link.close();
  });

  it('of a command that was to be stored as claimed sends nothing, and lets the next of its key go', async () => {
    const link = await broker.connect(cluster.hub(0).url);
    await refuse('insert', `new.broker_id = '${broker.id}'`);

    const { status } = await cluster.api(0).ping(broker.id);
    await mend();
    const { body } = await cluster.api(0).ping(broker.id);
    const dispatch = await link.nextDispatch();
    link.succeed(dispatch);

    expect(status).toBe(503);
    expect(dispatch.id).toBe(body.dispatch.id);
    await cluster.api(0).dispatch(dispatch.id, 5);
    await link.close();
  });

  it('of a result is not confirmed to the broker, until it is on record', async () => {
    const link = await broker.connect(cluster.hub(0).url);
    await cluster.api(0).ping(broker.id);
    const dispatch = await link.nextDispatch();
    await refuse('delete', `old.broker_id = '${broker.id}'`);
    link.succeed(dispatch);
    await refused();

    expect(link.count('confirm')).toBe(0);
    expect(await cluster.api(0).dispatch(dispatch.id)).toMatchObject({ endedAt: null });
    await mend();

    expect((await link.next('confirm')).ids).toEqual([dispatch.id]);
    expect(await cluster.api(0).dispatch(dispatch.id)).toMatchObject({ state: 'succeeded' });
    await link.close();
  });
});
