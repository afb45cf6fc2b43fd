import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { plantPings } from '../support/dispatch-rows.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker, type ScriptedLink } from '../support/scripted-broker.js';

/** The broker is linked to replica 0. */
describe('a command that comes in where its broker is linked', () => {
  let cluster: Cluster;
  let sql: pg.Client;
  let broker: ScriptedBroker;
  let link: ScriptedLink;

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

  beforeEach(async () => {
    broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    link = await broker.connect(cluster.hub(0).url);
  });

  const ask = async (replica: number, orderingKey: string | null = null): Promise<string> =>
    (await cluster.api(replica).ping(broker.id, { orderingKey })).body.dispatch.id;
  /** A claim of its own has a time of its own: both are those of their transactions. */
  const isHanded = async (id: string): Promise<boolean> => {
    const { rows } = await sql.query<{ handed: boolean }>(
      `select coalesce(claimed_at = created_at, false) as handed from broker_dispatch where id = $1
       union all
       select coalesce(claimed_at = created_at, false) from broker_dispatch_history where id = $1`,
      [id],
    );
    return rows[0]?.handed ?? false;
  };

  it('is stored as claimed and sent at once, and claimed like any other where it came in elsewhere', async () => {
    const here = await ask(0);
    const first = await link.nextDispatch();
    const there = await ask(1);
    const second = await link.nextDispatch();

    expect([first, second]).toMatchObject([
      { id: here, attempt: 1 },
      { id: there, attempt: 1 },
    ]);
    expect([await isHanded(here), await isHanded(there)]).toEqual([true, false]);
    link.succeed(first);
    link.succeed(second);
    expect(await cluster.api(1).dispatch(here, 10)).toMatchObject({ state: 'succeeded', attempt: 1 });
    const steps = (await cluster.api(1).trail(here)).filter(({ state }) => state !== 'running');
    expect(steps.map(({ state, attempt }) => [state, attempt])).toEqual([
      ['pending', undefined],
      ['claimed', 1],
      ['succeeded', 1],
    ]);
    await cluster.api(0).dispatch(there, 10);
  });

  it('waits behind a live command of its key that this replica has not heard of', async () => {
    const [earlier] = await plantPings(sql, [{ brokerId: broker.id, orderingKey: 'k' }]);

    const later = await ask(0, 'k');

    expect(await isHanded(later)).toBe(false);
    const first = await link.nextDispatch();
    expect(first.id).toBe(earlier);
    link.succeed(first);
    const next = await link.nextDispatch();
    expect(next.id).toBe(later);
    link.succeed(next);
    await cluster.api(0).dispatch(later, 10);
  });

  it('goes one at a time within a key, however many are stored together', async () => {
    const item = { broker: broker.id, op: 'broker.ping', orderingKey: 'k' };
    const { body } = await cluster
      .api(0)
      .post('/api/v1/dispatches/batch', { items: Array.from({ length: 10 }, () => item) });
    const ids = body.items.map(({ dispatch }: { dispatch: { id: string } }) => dispatch.id);

    const seen: string[] = [];
    for (let count = 0; count < ids.length; count += 1) {
      const next = await link.nextDispatch();
      const { rows } = await sql.query(
        `select from broker_dispatch where broker_id = $1 and state <> 'pending'`,
        [broker.id],
      );
      expect(rows).toHaveLength(1);
      seen.push(next.id);
      link.succeed(next);
    }

    expect(seen).toEqual(ids);
    expect(await isHanded(ids[0])).toBe(true);
    await cluster.api(0).dispatch(ids.at(-1) ?? '', 10);
  });

  it('waits behind an earlier one of its key that is stored with it and may not be claimed yet', async () => {
    const item = { broker: broker.id, op: 'broker.ping', orderingKey: 'k' };
    const { body } = await cluster
      .api(0)
      .post('/api/v1/dispatches/batch', { items: [{ ...item, lane: 'bulk' }, item] });
    const ids = body.items.map(({ dispatch }: { dispatch: { id: string } }) => dispatch.id);

    const first = await link.nextDispatch();
    link.succeed(first);
    const second = await link.nextDispatch();
    link.succeed(second);

    expect([first.id, second.id]).toEqual(ids);
    await cluster.api(0).dispatch(ids[1], 10);
  });

  it('is stored like any other, at once, while the connection is held by somebody who may move it', async () => {
    const mover = new pg.Client(cluster.database.url);
    await mover.connect();
    await mover.query('begin');
    await mover.query('select from broker_connection where broker_id = $1 for update', [broker.id]);

    const id = await ask(0);

    expect(await isHanded(id)).toBe(false);
    await mover.query('rollback');
    await mover.end();
    const sent = await link.nextDispatch();
    expect(sent.id).toBe(id);
    link.succeed(sent);
    await cluster.api(0).dispatch(id, 10);
  });

  it('is only stored where the broker has moved on and this replica has not heard of it', async () => {
    await sql.query('update broker_connection set epoch = epoch + 1 where broker_id = $1', [broker.id]);

    const id = await ask(0);

    expect(await isHanded(id)).toBe(false);
    const next = await broker.connect(cluster.hub(1).url);
    const sent = await next.nextDispatch();
    next.succeed(sent);
    expect(await cluster.api(0).dispatch(id, 10)).toMatchObject({ state: 'succeeded', attempt: 1 });
  });

  it('waits for the window like any other', async () => {
    const narrow = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const one = await narrow.connect(cluster.hub(0).url, [], { window: 1 });
    const askIt = async (): Promise<string> =>
      (await cluster.api(0).ping(narrow.id, { orderingKey: null })).body.dispatch.id;
    const first = await askIt();
    const second = await askIt();

    expect([await isHanded(first), await isHanded(second)]).toEqual([true, false]);
    const sent = await one.nextDispatch();
    one.succeed(sent);
    const next = await one.nextDispatch();
    expect([sent.id, next.id]).toEqual([first, second]);
    one.succeed(next);
    await cluster.api(0).dispatch(second, 10);
  });
});
