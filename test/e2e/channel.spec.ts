import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { atOnce } from '../support/at-once.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { expectNoLeaks } from '../support/leaks.js';

describe('the control channel', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
  });

  afterAll(async () => {
    await cluster.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  const join = () => ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
  /** Beside the others. */
  const meanwhile = atOnce();

  it('takes a broker for who its credential says, whatever it says of itself (pitfall 37)', async () => {
    const [broker, other] = [await join(), await join()];
    const read = async ({ id }: ScriptedBroker) => (await cluster.api(0).get(`/api/v1/brokers/${id}`)).body;
    const link = await broker.dial(cluster.hub(0).url);
    const claims = { broker: other.id, brokerId: other.id, id: other.id, name: other.name, sub: other.id };

    link.sendText(JSON.stringify({ ...broker.hello(), ...claims }));
    await link.next('welcome');

    await eventually(async () => (await read(broker)).ownership?.replica === cluster.hub(0).replicaId);
    expect((await read(other)).ownership?.replica ?? null).toBeNull();
    expect([(await read(broker)).name, (await read(other)).name]).toEqual([broker.name, other.name]);
    link.cut();
  });

  it('takes no word of one broker on the commands of another (pitfall 34)', async () => {
    const [broker, other] = [await join(), await join()];
    const link = await broker.connect(cluster.hub(0).url);
    const foreign = await other.connect(cluster.hub(1).url);
    await cluster.api(0).ping(broker.id, { orderingKey: null });
    const dispatch = await link.nextDispatch();
    link.ack(dispatch);
    await eventually(async () => (await cluster.api(0).dispatch(dispatch.id)).state === 'running');

    foreign.succeed(dispatch, { said: 'by another' });
    // What comes behind it on that link is settled once it was read.
    await cluster.api(0).ping(other.id, { orderingKey: null });
    const own = await foreign.nextDispatch();
    foreign.succeed(own);
    expect(await cluster.api(0).dispatch(own.id, 10)).toMatchObject({ state: 'succeeded' });

    expect((await cluster.api(0).dispatch(dispatch.id)).state).toBe('running');
    link.succeed(dispatch, { said: 'by its own' });
    expect(await cluster.api(0).dispatch(dispatch.id, 10)).toMatchObject({
      state: 'succeeded',
      result: { said: 'by its own' },
    });
    link.cut();
    foreign.cut();
  });

  describe('with two sockets of one broker', () => {
    it('sends work to the newer one and takes results from both', async () => {
      const broker = await join();
      const older = await broker.connect(cluster.hub(0).url);
      await cluster.api(0).ping(broker.id, { orderingKey: null });
      const early = await older.nextDispatch();
      older.ack(early);
      await eventually(async () => (await cluster.api(0).dispatch(early.id)).state === 'running');

      const newer = await broker.connect(cluster.hub(1).url, [
        { id: early.id, attempt: 1, status: 'running' },
      ]);
      const { body } = await cluster.api(0).ping(broker.id, { orderingKey: null });
      const late = await newer.nextDispatch();
      older.succeed(early);

      expect(late.id).toBe(body.dispatch.id);
      expect(await cluster.api(1).dispatch(early.id, 10)).toMatchObject({ state: 'succeeded' });
      expect(older.count('dispatch')).toBe(0);
      older.cut();
      newer.succeed(late);
      await newer.next('confirm');
      await newer.close();
    });

    it('leaves the broker with its newer owner when the older socket ends late', async () => {
      const broker = await join();
      const older = await broker.connect(cluster.hub(0).url);
      const newer = await broker.connect(cluster.hub(1).url);
      const read = async () => (await cluster.api(0).get(`/api/v1/brokers/${broker.id}`)).body;
      await eventually(async () => (await read()).presence?.state === 'online');

      await older.close();

      const body = await read();
      expect(body.ownership).toMatchObject({ replica: cluster.hub(1).replicaId, epoch: 2 });
      expect(body.presence.state).toBe('online');
      await newer.close();
    });

    it('closes the older one with 4409 at once when another instance shows the credential', async () => {
      const broker = await join();
      const original = await broker.connect(cluster.hub(0).url);

      const clone = await broker.connect(cluster.hub(1).url, [], { bootId: randomUUID() });

      expect(await original.closed).toMatchObject({ code: 4409 });
      await clone.close();
    });
  });

  meanwhile('finds a command whose wake was lost by polling', async () => {
    const broker = await join();
    const link = await broker.connect(cluster.hub(0).url);
    const client = new pg.Client(cluster.database.url);
    await client.connect();
    const id = randomUUID();
    await client.query(
      `insert into broker_dispatch (id, broker_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail)
       values ($1, $2, 'broker.ping', '{}', 'normal', 'pending', now() + interval '1 minute', $3, '{}', '{}')`,
      [id, broker.id, cluster.hub(1).replicaId],
    );
    await client.end();

    const dispatch = await link.nextDispatch();
    link.succeed(dispatch);

    expect(dispatch.id).toBe(id);
    expect(await cluster.api(1).dispatch(id, 10)).toMatchObject({ state: 'succeeded' });
    await link.close();
  });

  it('gives commands of one key one at a time and in order, and others in between', async () => {
    const broker = await join();
    const link = await broker.connect(cluster.hub(0).url);
    const ids = [];
    for (const key of ['k', 'k', 'other']) {
      ids.push((await cluster.api(1).ping(broker.id, { orderingKey: key })).body.dispatch.id);
    }

    const first = await link.nextDispatch();
    const other = await link.nextDispatch();
    expect([first.id, other.id]).toEqual([ids[0], ids[2]]);
    link.ack(first);
    await eventually(async () => (await cluster.api(0).dispatch(first.id)).state === 'running');
    expect(link.count('dispatch')).toBe(0);
    link.succeed(first);
    const second = await link.nextDispatch();

    expect(second.id).toBe(ids[1]);
    link.succeed(second);
    link.succeed(other);
    await cluster.api(0).dispatch(second.id, 10);
    await link.close();
  });

  it('settles a result that the database cannot hold as it is, beside others', async () => {
    const broker = await join();
    const link = await broker.connect(cluster.hub(0).url);
    for (const orderingKey of ['a', 'b']) await cluster.api(0).ping(broker.id, { orderingKey });
    const [odd, even] = [await link.nextDispatch(), await link.nextDispatch()];

    link.succeed(odd, { text: 'x\0\ud800', 'name\0': '' });
    link.succeed(even, { text: 'fine' });

    expect(await cluster.api(1).dispatch(odd.id, 10)).toMatchObject({
      result: { text: 'x\ufffd\ufffd', 'name\ufffd': '' },
    });
    expect(await cluster.api(1).dispatch(even.id, 10)).toMatchObject({ result: { text: 'fine' } });
    await link.close();
  });
});
