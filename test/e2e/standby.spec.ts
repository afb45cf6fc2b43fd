import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import { once } from 'node:events';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker, ScriptedLink } from '../support/scripted-broker.js';

describe('a standby link', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
  }, 120_000);

  afterAll(async () => {
    await cluster.stop();
    await expectNoLeaks(undefined, { withinMs: 20_000 });
  });

  const join = () => ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
  const ownerOf = async ({ id }: ScriptedBroker) =>
    (await cluster.api(0).get(`/api/v1/brokers/${id}`)).body.ownership;

  async function dial(broker: ScriptedBroker, hub: number): Promise<ScriptedLink> {
    const { url } = cluster.hub(hub);
    const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v1/control`, 'fairlead.v1.standby', {
      headers: await broker.shown(url),
    });
    const link = new ScriptedLink(socket);
    await once(socket, 'open');
    link.send(broker.hello({ standby: true }));
    return link;
  }

  const promote = ({ lastEpoch }: ScriptedBroker) => ({
    t: 'promote' as const,
    lastEpoch,
    capabilities: ['runtime.process'],
    health: 'online' as const,
  });

  it('owns nothing until it is promoted, and then carries on what the first link began', async () => {
    const broker = await join();
    const first = await broker.connect(cluster.hub(0).url);
    const standby = await dial(broker, 1);
    const held = await standby.next('standby_ok');
    const before = await ownerOf(broker);
    const { body } = await cluster.api(1).ping(broker.id, { orderingKey: null });
    const begun = await first.nextDispatch();
    first.ack(begun);

    first.cut();
    standby.send(promote(broker));
    const welcome = await standby.next('welcome');
    standby.send({
      t: 'inventory',
      entries: [{ id: begun.id, attempt: 1, status: 'running' }],
      last: true,
    });
    await standby.next('inventory_ok');
    standby.succeed(begun);

    expect(held.alternatives).toEqual([cluster.hub(0).url]);
    expect(before).toMatchObject({ replica: cluster.hub(0).replicaId, epoch: broker.lastEpoch });
    expect(welcome.epoch).toBe(broker.lastEpoch + 1);
    expect(await ownerOf(broker)).toMatchObject({ replica: cluster.hub(1).replicaId, epoch: welcome.epoch });
    expect(await cluster.api(0).dispatch(body.dispatch.id, 10)).toMatchObject({
      state: 'succeeded',
      attempt: 1,
    });
    await standby.close();
  });

  it('is ended by whatever is no promote, and promotes nothing that is no standby', async () => {
    const [one, other, third] = [await join(), await join(), await join()];
    const first = await one.connect(cluster.hub(0).url);
    const [chatty, leaving] = [await dial(other, 1), await dial(third, 1)];
    for (const each of [chatty, leaving]) await each.next('standby_ok');

    first.send(promote(one));
    chatty.send({ t: 'heartbeat', health: 'online', load: null, running: 0 });
    leaving.send({ t: 'goodbye', reason: 'over' });

    expect((await first.closed).code).toBe(4400);
    expect((await chatty.closed).code).toBe(4400);
    expect((await leaving.closed).code).toBe(1000);
  });

  it('is refused by the replica that owns the broker, and gives way to a newer one', async () => {
    const broker = await join();
    const first = await broker.connect(cluster.hub(0).url);

    const useless = await dial(broker, 0);
    const old = await dial(broker, 1);
    await old.next('standby_ok');
    const young = await dial(broker, 1);
    await young.next('standby_ok');

    expect(await useless.closed).toMatchObject({ code: 1001 });
    expect(await old.closed).toMatchObject({ code: 4409 });
    for (const link of [first, young]) await link.close();
  });

  it('is ended by its replica where that becomes the owner by another link', async () => {
    const broker = await join();
    const standby = await dial(broker, 1);
    await standby.next('standby_ok');

    const link = await broker.connect(cluster.hub(1).url);

    expect(await standby.closed).toMatchObject({ code: 1001 });
    await link.close();
  });

  it('of a broker that was revoked is not promoted', async () => {
    const broker = await join();
    const standby = await dial(broker, 1);
    await standby.next('standby_ok');

    await cluster.api(0).post(`/api/v1/brokers/${broker.id}/revoke`);
    standby.send(promote(broker));

    expect((await standby.closed).code).toBe(4403);
  });

  it('is not held, and not promoted, by a replica that drains; who stays linked elsewhere is told of it with a beat', async () => {
    const linked = await join();
    const link = await linked.connect(cluster.hub(0).url);
    const hub = await cluster.addReplica({ FAIRLEAD_DRAIN_LINGER_S: '2' });
    const place = cluster.hubs.indexOf(hub);
    await eventually(
      async () => {
        link.send({ t: 'heartbeat', health: 'online', load: null, running: 0 });
        const { alternatives } = await link.next('heartbeat_ack');
        return alternatives?.includes(hub.url);
      },
      { withinMs: 20_000 },
    );
    await link.close();
    const [broker, late] = [await join(), await join()];
    const standby = await dial(broker, place);
    await standby.next('standby_ok');

    hub.signal('SIGTERM');
    const ended = await standby.closed;
    const refused = await dial(late, place).catch((error: Error) => error.message);

    expect(ended.code).toBe(1001);
    expect(refused).toContain('503');
    expect(await ownerOf(broker)).toBeNull();
    await eventually(async () => (await hub.ended()) === 0, { withinMs: 20_000 });
  });
});
