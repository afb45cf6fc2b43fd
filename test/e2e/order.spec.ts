import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { atOnce } from '../support/at-once.js';
import { Cluster } from '../support/cluster.js';
import { plantPings, wakeOwner } from '../support/dispatch-rows.js';
import { expectNoLeaks } from '../support/leaks.js';
import { leastOf } from '../support/least-of.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

describe('the order of commands', () => {
  let cluster: Cluster;
  let sql: pg.Client;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    sql = new pg.Client(cluster.database.url);
    await sql.connect();
  });

  afterAll(async () => {
    await sql.end();
    await cluster.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  const join = () => ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
  const ask = async (broker: ScriptedBroker, orderingKey: string | null, replica = 0): Promise<string> =>
    (await cluster.api(replica).ping(broker.id, { orderingKey })).body.dispatch.id;
  const askMany = async (broker: ScriptedBroker, orderingKey: string | null, count: number) => {
    const item = { broker: broker.id, op: 'broker.ping', orderingKey };
    const { body } = await cluster
      .api(0)
      .post('/api/v1/dispatches/batch', { items: Array.from({ length: count }, () => item) });
    expect(body.accepted).toBe(count);
    return body.items.map(({ dispatch }: { dispatch: { id: string } }) => dispatch.id) as string[];
  };

  /** Beside the others. */
  const meanwhile = atOnce();

  it('goes on at once where a result comes over the link that its broker has left, at another replica', async () => {
    for (let round = 1; round <= 5; round += 1) {
      const broker = await join();
      const former = await broker.connect(cluster.hub(1).url);
      // It came in where it is settled, so that nobody is told of its end as the one who asked.
      const id = await ask(broker, 'k', 1);
      const dispatch = await former.nextDispatch();
      former.ack(dispatch);
      const link = await broker.connect(cluster.hub(0).url, [{ id, attempt: 1, status: 'running' }]);
      const next = await ask(broker, 'k');

      former.succeed(dispatch);

      // Without a hint the owner finds the key free when it next compares, within 5 s: hardly five times this soon.
      expect((await link.nextDispatch(3_000)).id).toBe(next);
      link.cut();
      former.cut();
    }
  });

  it('holds within a key for callers at two replicas, through lost sends, lost links and moves', async () => {
    const broker = await join();
    const total = 40;
    const ids: string[] = [];
    const submitting = (async () => {
      for (let count = 0; count < total; count += 1) ids.push(await ask(broker, 'k', count % 2));
    })();
    const begun: string[] = [];
    let [turn, moves] = [0, 0];
    let link = await broker.connect(cluster.hub(0).url);
    const move = async (...inventory: Parameters<ScriptedBroker['connect']>[1] & object) => {
      link.cut();
      moves += 1;
      link = await broker.connect(cluster.hub(moves % 2).url, inventory);
    };

    while (begun.length < total) {
      const dispatch = await link.nextDispatch();
      turn += 1;
      if (turn % 5 === 2) {
        // Lost on the way: the same one has to come again before any other.
        await move();
        const again = await link.nextDispatch();
        expect(again).toMatchObject({ id: dispatch.id, attempt: dispatch.attempt + 1 });
        begun.push(again.id);
        link.succeed(again);
        continue;
      }
      begun.push(dispatch.id);
      link.ack(dispatch);
      if (turn % 5 === 4)
        await move({ id: dispatch.id, attempt: dispatch.attempt, status: 'running' as const });
      expect(link.count('dispatch')).toBe(0);
      link.succeed(dispatch);
    }
    await submitting;

    expect(begun).toEqual(ids);
    expect(moves).toBeGreaterThan(10);
    for (const id of ids) expect(await cluster.api(0).dispatch(id, 10)).toMatchObject({ state: 'succeeded' });
    await link.close();
  });

  meanwhile('holds where a frame was lost: its attempt comes again, before the next', async () => {
    const broker = await join();
    const link = await broker.connect(cluster.hub(1).url);
    const [first, second] = [await ask(broker, 'k', 0), await ask(broker, 'k', 1)];

    const lost = await link.nextDispatch();
    const again = await link.nextDispatch(15_000);
    link.succeed(again);
    const next = await link.nextDispatch();
    link.succeed(next);

    expect([lost.id, again.id, next.id]).toEqual([first, first, second]);
    expect([lost.attempt, again.attempt]).toEqual([1, 1]);
    await link.close();
  });

  it('has at most one of a key out at a time, and those of other keys beside it', async () => {
    const broker = await join();
    const link = await broker.connect(cluster.hub(1).url);
    const [a1 = '', a2 = ''] = await askMany(broker, 'a', 2);
    const [b1 = ''] = await askMany(broker, 'b', 2);
    const free = await askMany(broker, null, 2);

    const out = new Map<string, Awaited<ReturnType<typeof link.nextDispatch>>>();
    for (let count = 0; count < 4; count += 1) {
      const dispatch = await link.nextDispatch();
      link.ack(dispatch);
      out.set(dispatch.id, dispatch);
    }
    expect(new Set(out.keys())).toEqual(new Set([a1, b1, ...free]));
    const head = out.get(a1);
    if (head === undefined) throw new Error('the first of the key did not come');
    link.succeed(head);

    expect((await link.nextDispatch()).id).toBe(a2);
    await link.close();
  });

  it('lets a stuck key with 600 commands hold up only itself', async () => {
    const broker = await join();
    const link = await broker.connect(cluster.hub(1).url);
    const stuck = await askMany(broker, 'stuck', 600);
    const head = await link.nextDispatch();
    link.ack(head);

    const other = await ask(broker, 'other', 1);
    const dispatch = await link.nextDispatch(4_000);
    link.succeed(dispatch);

    expect([head.id, dispatch.id]).toEqual([stuck[0], other]);
    expect(await cluster.api(0).dispatch(other, 10)).toMatchObject({ state: 'succeeded' });
    expect(link.count('dispatch')).toBe(0);
    link.succeed(head);
    expect((await link.nextDispatch()).id).toBe(stuck[1]);
    await link.close();
  });

  it('finds the one that may go behind 600 that may not, on a link that comes after all of them', async () => {
    const broker = await join();
    const stuck = await askMany(broker, 'stuck', 600);
    const other = await ask(broker, 'other', 1);

    const link = await broker.connect(cluster.hub(1).url);
    const sent = [await link.nextDispatch(4_000), await link.nextDispatch(4_000)];

    expect(sent.map(({ id }) => id)).toEqual([stuck[0], other]);
    await link.close();
  });

  it('is overtaken by control', async () => {
    const broker = await join();
    const link = await broker.connect(cluster.hub(1).url, [], { window: 1 });
    const [first] = await askMany(broker, null, 20);
    const head = await link.nextDispatch();
    const [control] = await plantPings(sql, [{ brokerId: broker.id, lane: 'control' }]);
    await wakeOwner(sql, broker.id);
    await expect(link.nextDispatch(500)).rejects.toThrow('no dispatch came in time');

    link.ack(head);
    const next = await link.nextDispatch();

    expect([head.id, next.id]).toEqual([first, control]);
    await link.close();
  });

  it('of one broker is no other broker’s business: a stuck one delays nobody', async () => {
    const [stuck, well] = [await join(), await join()];
    // It takes what its window allows, and never says a word.
    const silent = await stuck.connect(cluster.hub(1).url, [], { window: 8 });
    const link = await well.connect(cluster.hub(1).url);
    const twenty = async () => {
      const serving = (async () => {
        for (let count = 0; count < 20; count += 1) link.succeed(await link.nextDispatch());
      })();
      const startedAt = performance.now();
      for (let count = 0; count < 20; count += 1) {
        const { body } = await cluster.api(count % 2).ping(well.id, { waitS: 10 });
        expect(body.dispatch.state).toBe('succeeded');
      }
      const tookMs = performance.now() - startedAt;
      await serving;
      return tookMs;
    };
    const aloneMs = await twenty();

    await askMany(stuck, null, 1_000);
    const limitMs = aloneMs + 3_000;
    const tookMs = await leastOf(limitMs, twenty);

    // A tick of the reconciler for each would be 5 s more.
    expect(tookMs).toBeLessThan(limitMs);
    let held = 0;
    while (silent.count('dispatch') > 0) {
      await silent.nextDispatch();
      held += 1;
    }
    expect(held).toBe(8);
    await silent.close();
    await link.close();
  });
});
