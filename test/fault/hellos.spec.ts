import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { HubProcess } from '../support/hub-process.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { DatabaseProxy } from './support/database-proxy.js';

const ROUNDS = 15;

describe('a broker that connects', () => {
  let cluster: Cluster;
  let proxy: DatabaseProxy;
  let hub: HubProcess;
  let broker: ScriptedBroker;

  beforeAll(async () => {
    cluster = await Cluster.start(1);
    proxy = await DatabaseProxy.start(cluster.database.url);
    hub = await cluster.addReplica({ DATABASE_URL: proxy.url });
  });

  afterAll(async () => {
    await cluster.stop();
    await proxy.stop();
  });

  beforeEach(async () => {
    broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
  });

  it('twice at once is served on the link with the newest epoch, whichever is answered last', async () => {
    const [older, newer] = [await broker.dial(hub.url), await broker.dial(hub.url)];
    const held = proxy.hold('answer', 'commit');
    older.send(broker.hello());
    const goOn = await held;
    newer.send(broker.hello());
    await newer.next('welcome');
    goOn();
    await Promise.race([older.closed, older.next('welcome')]);

    newer.send({ t: 'inventory', entries: [], last: true });
    const { body } = await cluster.api(0).ping(broker.id);
    const dispatch = await newer.nextDispatch(8_000);
    newer.succeed(dispatch);

    expect(dispatch.id).toBe(body.dispatch.id);
    expect(await older.closed).toMatchObject({ code: 4409 });
    await newer.close();
  });

  it('again while a claim for its older link is under way is served on the newer one', async () => {
    const older = await broker.connect(hub.url);
    const held = proxy.hold('question', 'claim_by_ids_of_one');
    const { body } = await cluster.api(0).ping(broker.id);
    const goOn = await held;
    const newer = await broker.connect(hub.url);
    goOn();

    const dispatch = await newer.nextDispatch(8_000);
    newer.succeed(dispatch);

    expect(dispatch.id).toBe(body.dispatch.id);
    expect(older.count('dispatch')).toBe(0);
    await newer.close();
    await older.close();
  });

  it('and is gone before it is welcomed is owned by nobody', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const link = await broker.dial(cluster.hub(0).url);
      link.send(broker.hello());
      link.cut();
    }
    // Those may have been gone before anything was written; this one is while it is.
    const link = await broker.dial(hub.url);
    const held = proxy.hold('question', 'connect_brokers');
    link.send(broker.hello());
    const goOn = await held;
    link.cut();
    goOn();

    await eventually(async () => {
      const { body } = await cluster.api(0).get(`/api/v1/brokers/${broker.id}`);
      return body.ownership?.replica === null;
    });
  });

  it('and is refused since the answer to its commit was lost, is owned by nobody once it is clear that it stays away', async () => {
    const link = await broker.dial(hub.url);
    const held = proxy.hold('question', 'connect_brokers');
    link.send(broker.hello());
    const goOn = await held;
    const lost = proxy.lose('answer', 'commit');
    goOn();
    await lost;

    expect(await link.closed).toMatchObject({ code: 4503 });
    const read = async () => (await cluster.api(0).get(`/api/v1/brokers/${broker.id}`)).body;
    expect((await read()).ownership).toMatchObject({ replica: hub.replicaId, epoch: 1 });
    await eventually(async () => (await read()).ownership.replica === null, {
      withinMs: 80_000,
      everyMs: 500,
    });
    expect((await read()).ownership).toMatchObject({ epoch: 1, releaseReason: 'never_linked' });
    const { body } = await cluster.api(0).get(`/api/v1/brokers/${broker.id}/history`);
    expect(body.items[0]).toMatchObject({ epoch: 1, reason: 'never_linked' });
  }, 120_000);

  it('and names an attempt that no row can have is closed, and holds up no other', async () => {
    const other = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const [wrong, right] = [
      await broker.connect(cluster.hub(0).url),
      await other.connect(cluster.hub(0).url),
    ];
    const { body } = await cluster.api(0).ping(other.id);
    const dispatch = await right.nextDispatch();

    wrong.succeed({ ...dispatch, attempt: 3_000_000_000 });
    right.succeed(dispatch);

    expect(await wrong.closed).toMatchObject({ code: 4400 });
    expect(await cluster.api(0).dispatch(body.dispatch.id, 5)).toMatchObject({ state: 'succeeded' });
    await right.close();
  });

  it('and tells a result that cannot be written again has its command ended as failed', async () => {
    const link = await broker.connect(cluster.hub(0).url);
    await cluster.api(0).ping(broker.id);
    const { id } = await link.nextDispatch();

    const body = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    link.sendText(
      `{"t":"result","results":[{"id":"${id}","attempt":1,"outcome":"succeeded","body":${body}}]}`,
    );

    expect((await link.next('confirm')).ids).toEqual([id]);
    expect(await cluster.api(0).dispatch(id)).toMatchObject({
      state: 'failed',
      error: { code: 'result_too_large' },
    });
    await link.close();
  });
});
