import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from '../support/cluster.js';
import { createDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { DatabaseProxy } from './support/database-proxy.js';

type Link = Awaited<ReturnType<ScriptedBroker['connect']>>;

describe('a replica that alone has lost the database', () => {
  let cluster: Cluster;
  /** Of replicas that lose the way of their pools at once. */
  let together: Cluster;
  let proxy: DatabaseProxy;
  let pools: DatabaseProxy;
  let poolsTogether: DatabaseProxy;

  beforeAll(async () => {
    const database = await createDatabase();
    [cluster, together] = await Promise.all([Cluster.start(1), Cluster.start(0, database)]);
    [proxy, pools, poolsTogether] = await Promise.all([
      DatabaseProxy.start(cluster.database.url),
      DatabaseProxy.start(cluster.database.url),
      DatabaseProxy.start(database.url),
    ]);
    const past = (way: DatabaseProxy, of: Cluster) => ({
      DATABASE_URL: way.url,
      DATABASE_DIRECT_URL: of.database.url,
    });
    await cluster.addReplica({ DATABASE_URL: proxy.url });
    await cluster.addReplica(past(pools, cluster));
    await Promise.all([0, 1].map(() => together.addReplica(past(poolsTogether, together))));
  }, 180_000);

  afterAll(async () => {
    await Promise.all([cluster.stop(), together.stop()]);
    await Promise.all([proxy, pools, poolsTogether].map((each) => each.stop()));
  });

  const readiness = async (of: Cluster, hub: number) => (await fetch(`${of.hub(hub).url}/readyz`)).status;

  /** It reads where the others are once in a while. */
  const knowsAnother = (link: Link) =>
    eventually(
      async () => {
        link.send({ t: 'heartbeat', health: 'online', load: null, running: 0 });
        return ((await link.next('heartbeat_ack')).alternatives ?? []).length > 0;
      },
      { withinMs: 20_000 },
    );

  it.each([
    ['by all ways', 1, () => proxy],
    ['on its pool, while it beats', 2, () => pools],
  ])(
    '%s sends its brokers to one that has it, is not ready until it has it again, and then serves',
    async (_how, hub, way) => {
      const [well, cutOff] = [cluster.hub(0), cluster.hub(hub)];
      const broker = await ScriptedBroker.join(cluster.api(0), well.url);
      const link = await broker.connect(cutOff.url);
      await knowsAnother(link);

      const thaw = way().freeze();
      const told = await link.next('going_away', 60_000);
      const unready = await readiness(cluster, hub);
      const next = await broker.connect(well.url);
      const { body } = await cluster.api(0).ping(broker.id, { orderingKey: null });
      next.succeed(await next.nextDispatch());
      const ended = await link.closed;
      thaw();
      await eventually(async () => (await readiness(cluster, hub)) === 200, { withinMs: 30_000 });
      const again = await eventually(() => broker.connect(cutOff.url).catch(() => undefined), {
        withinMs: 30_000,
      });

      expect(told.alternatives).toContain(well.url);
      expect(told.slotMs).toBeLessThan(2_000);
      expect(unready).toBe(503);
      expect(ended.code).toBe(1001);
      expect(await cluster.api(0).dispatch(body.dispatch.id, 10)).toMatchObject({
        state: 'succeeded',
        attempt: 1,
      });
      expect(await readiness(cluster, 0)).toBe(200);
      for (const each of [next, again]) await each.close();
    },
    180_000,
  );

  it('on its pool sends its brokers away, in a time in which those that have lost theirs together keep them', async () => {
    const alone = await (
      await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url)
    ).connect(cluster.hub(2).url);
    const kept = await (
      await ScriptedBroker.join(together.api(0), together.hub(0).url)
    ).connect(together.hub(1).url);
    await Promise.all([alone, kept].map(knowsAnother));

    const thaws = [poolsTogether, pools].map((each) => each.freeze());
    await alone.next('going_away', 60_000);
    const ready = await Promise.all([0, 1].map((hub) => readiness(together, hub)));
    for (const thaw of thaws) thaw();
    kept.send({ t: 'heartbeat', health: 'online', load: null, running: 0 });
    await kept.next('heartbeat_ack', 20_000);

    expect(ready).toEqual([200, 200]);
    expect(kept.count('going_away')).toBe(0);
    for (const each of [alone, kept]) await each.close();
  }, 180_000);
});
