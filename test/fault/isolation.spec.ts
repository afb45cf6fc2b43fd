import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { DatabaseProxy } from './support/database-proxy.js';

describe('a replica that alone has lost the database', () => {
  let cluster: Cluster;
  let proxy: DatabaseProxy;

  beforeAll(async () => {
    cluster = await Cluster.start(1);
    proxy = await DatabaseProxy.start(cluster.database.url);
    await cluster.addReplica({ DATABASE_URL: proxy.url });
  }, 120_000);

  afterAll(async () => {
    await cluster.stop();
    await proxy.stop();
  });

  const readiness = async (hub: number) => (await fetch(`${cluster.hub(hub).url}/readyz`)).status;

  it('sends its brokers to one that has it, is not ready until it has it again, and then serves', async () => {
    const [well, cutOff] = [cluster.hub(0), cluster.hub(1)];
    const broker = await ScriptedBroker.join(cluster.api(0), well.url);
    const link = await broker.connect(cutOff.url);
    // It reads where the others are once in a while.
    await eventually(
      async () => {
        link.send({ t: 'heartbeat', health: 'online', load: null, running: 0 });
        return (await link.next('heartbeat_ack')).alternatives?.includes(well.url);
      },
      { withinMs: 20_000 },
    );

    const thaw = proxy.freeze();
    const told = await link.next('going_away', 30_000);
    const unready = await readiness(1);
    const next = await broker.connect(well.url);
    const { body } = await cluster.api(0).ping(broker.id, { orderingKey: null });
    next.succeed(await next.nextDispatch());
    const ended = await link.closed;
    thaw();
    await eventually(async () => (await readiness(1)) === 200, { withinMs: 30_000 });
    const again = await eventually(() => broker.connect(cutOff.url).catch(() => undefined), {
      withinMs: 30_000,
    });

    expect(told).toMatchObject({ alternatives: [well.url] });
    expect(told.slotMs).toBeLessThan(2_000);
    expect(unready).toBe(503);
    expect(ended.code).toBe(1001);
    expect(await cluster.api(0).dispatch(body.dispatch.id, 10)).toMatchObject({
      state: 'succeeded',
      attempt: 1,
    });
    expect(await readiness(0)).toBe(200);
    for (const each of [next, again]) await each.close();
  }, 180_000);
});
