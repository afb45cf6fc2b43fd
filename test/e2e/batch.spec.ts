import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

type Outcome = {
  dispatch: { id: string; state: string; orderingKey: string | null; result: unknown } | null;
  problem: { code: string; status: number; title: string; detail: string; retryAfterS?: number } | null;
};

describe('a batch of commands', () => {
  let cluster: Cluster;
  let broker: ScriptedBroker;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
  });

  afterAll(async () => {
    await cluster.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  const send = (items: unknown, headers: Record<string, string> = {}, replica = 0) =>
    cluster.api(replica).post('/api/v1/dispatches/batch', { items }, headers);
  const ping = (given: Record<string, unknown> = {}) => ({ broker: broker.id, op: 'broker.ping', ...given });
  const idsOf = (items: Outcome[]) => items.map(({ dispatch }) => dispatch?.id ?? null);
  const recorded = async (of: string) => {
    const { body } = await cluster.api(1).get(`/api/v1/dispatches?broker=${of}&limit=100`);
    return body.items.length as number;
  };

  it('of 1,000 gives each its own outcome in order, and refuses alone what cannot be accepted', async () => {
    const own = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const link = await own.connect(cluster.hub(1).url, [], { window: 1_024 });
    const items = Array.from({ length: 1_000 }, (_, place) => ({
      broker: place % 2 === 0 ? own.id : own.name,
      op: 'broker.ping',
      orderingKey: `k${place}`,
    }));
    const refused = new Map<number, [string, number]>([
      [0, ['not_found', 404]],
      [400, ['op_unknown', 422]],
      [999, ['op_unknown', 422]],
    ]);
    items[0] = { ...items[0], broker: 'nobody' } as (typeof items)[number];
    items[400] = { ...items[400], op: 'nothing.known' } as (typeof items)[number];
    items[999] = { ...items[999], op: 'agent.start' } as (typeof items)[number];
    const serving = (async () => {
      for (let count = 0; count < 997; count += 1) {
        const dispatch = await link.nextDispatch();
        link.succeed(dispatch, { key: String(dispatch.key) });
      }
    })();

    const { status, body } = await send(items, { prefer: 'wait=60' });
    await serving;

    expect([status, body.accepted, body.refused]).toEqual([200, 997, 3]);
    const outcomes = (body.items as Outcome[]).map(({ dispatch, problem }) =>
      dispatch === null ? [problem?.code, problem?.status] : [dispatch.state, dispatch.result],
    );
    expect(outcomes).toEqual(
      items.map(({ orderingKey }, place) => refused.get(place) ?? ['succeeded', { key: orderingKey }]),
    );
    await link.close();
  }, 90_000);

  it('stores those of a key in the order of the request', async () => {
    const own = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const { body } = await send(
      Array.from({ length: 600 }, (_, place) => ({
        broker: own.id,
        op: 'broker.ping',
        orderingKey: place % 20 === 0 ? 'k' : null,
      })),
    );
    const ids = idsOf(body.items).filter((_, place) => place % 20 === 0);
    const link = await own.connect(cluster.hub(1).url);

    const sent: string[] = [];
    for (let count = 0; count < 600; count += 1) {
      const dispatch = await link.nextDispatch();
      if (dispatch.key === 'k') sent.push(dispatch.id);
      link.succeed(dispatch);
    }

    expect(sent).toEqual(ids);
    await link.close();
  });

  it.each([
    ['1,001 items', 1_001],
    ['none', 0],
  ])('of %s is refused with 400, and nothing is stored', async (_, count) => {
    const own = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);

    const { status, body } = await send(
      Array.from({ length: count }, () => ({ broker: own.id, op: 'broker.ping' })),
    );

    expect([status, body.code]).toEqual([400, 'request_invalid']);
    expect(await recorded(own.id)).toBe(0);
  });

  it('with an item that is malformed is refused with 400 as a whole, and says which', async () => {
    const own = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const good = { broker: own.id, op: 'broker.ping' };

    const { status, body } = await send([good, { ...good, deadlineS: 'soon' }]);

    expect([status, body.code]).toEqual([400, 'request_invalid']);
    expect(JSON.stringify(body.fields)).toContain('items.1.deadlineS');
    expect(await recorded(own.id)).toBe(0);
  });

  it('past the cap of a request is refused with 413, and nothing is stored', async () => {
    const own = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const args = { filling: 'x'.repeat(200 * 1024) };

    const { status, body } = await send(
      Array.from({ length: 6 }, () => ({ broker: own.id, op: 'broker.ping', args })),
    );

    expect([status, body.code]).toEqual([413, 'request_too_large']);
    expect(await recorded(own.id)).toBe(0);
  });

  it('tells of an error that nobody foresaw for the one command that met it, and accepts the others', async () => {
    const own = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const sql = new pg.Client(cluster.database.url);
    await sql.connect();
    await sql.query(`
      create function refuse() returns trigger language plpgsql as $$ begin raise exception 'planted'; end $$;
      create trigger refuse before insert on broker_dispatch for each row
      when (new.ordering_key = 'planted') execute function refuse()`);

    const { status, body } = await send([
      { broker: own.id, op: 'broker.ping' },
      { broker: own.id, op: 'broker.ping', orderingKey: 'planted' },
      { broker: own.id, op: 'broker.ping' },
    ]);
    await sql.query('drop trigger refuse on broker_dispatch');
    await sql.end();

    expect([status, body.accepted, body.refused]).toEqual([200, 2, 1]);
    expect((body.items as Outcome[])[1]?.problem).toMatchObject({ code: 'internal', status: 500 });
    expect(JSON.stringify(body)).not.toContain('exception');
    expect(await recorded(own.id)).toBe(2);
  });

  it('refuses alone what only the rows, or its own size, can tell, and says of each when to come again', async () => {
    const own = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const item = { broker: own.id, op: 'broker.ping' };

    const { body } = await send([
      item,
      { ...item, contract: 'now_or_fail' },
      { ...item, args: { filling: 'x'.repeat(300 * 1024) } },
      { ...item, contract: 'latest_only', orderingKey: null },
      // What the database itself cannot hold.
      { ...item, orderingKey: 'a\u0000b' },
      { ...item, args: { text: 'a\u0000b' } },
      item,
    ]);

    const { headers } = await cluster.api(0).ping(own.id, { contract: 'now_or_fail' });
    const told = (body.items as Outcome[]).map(({ problem }) => [
      problem?.code,
      problem?.status,
      problem?.retryAfterS,
    ]);
    expect(told).toEqual([
      [undefined, undefined, undefined],
      ['broker_offline', 409, Number(headers.get('retry-after'))],
      ['args_too_large', 413, undefined],
      ['request_invalid', 400, undefined],
      ['request_invalid', 400, undefined],
      ['request_invalid', 400, undefined],
      [undefined, undefined, undefined],
    ]);
    expect(headers.get('retry-after')).not.toBeNull();
    expect(body.items[3].problem.fields).toMatchObject([{ path: 'orderingKey' }]);
    expect(await recorded(own.id)).toBe(2);
  });

  describe('with an Idempotency-Key', () => {
    it('gives the same ids to a repeat, at whichever replica, and different ones to equal items', async () => {
      const headers = { 'idempotency-key': randomUUID() };
      const items = Array.from({ length: 50 }, () => ping());

      const first = await send(items, headers);
      const again = await send(items, headers, 1);

      expect(new Set(idsOf(first.body.items)).size).toBe(50);
      expect(idsOf(again.body.items)).toEqual(idsOf(first.body.items));
      expect([again.body.accepted, again.body.refused]).toEqual([50, 0]);
    });

    it('is told by the trail of each with its place, so that no two share one', async () => {
      const own = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
      const key = randomUUID();
      const item = { broker: own.id, op: 'broker.ping' };
      const { body: batch } = await send([item, item], { 'idempotency-key': key });

      const { body } = await cluster.api(1).get(`/api/v1/trails?broker=${own.id}`);

      const keys = new Map(
        body.items.map(({ id, idempotencyKey }: Record<string, string>) => [id, idempotencyKey]),
      );
      expect(idsOf(batch.items).map((id) => keys.get(id))).toEqual([`${key} 0`, `${key} 1`]);
    });

    it('creates each once where the request comes twice at the same moment', async () => {
      const own = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
      const headers = { 'idempotency-key': randomUUID() };
      const items = Array.from({ length: 50 }, () => ({ broker: own.id, op: 'broker.ping' }));

      const answers = await Promise.all([0, 1, 0, 1].map((replica) => send(items, headers, replica)));

      const [ids, ...others] = answers.map(({ body }) => idsOf(body.items));
      expect(ids).not.toContain(null);
      for (const other of others) expect(other).toEqual(ids);
      expect(await recorded(own.id)).toBe(50);
    });

    it('refuses an item that was changed with 422, and repeats the rest', async () => {
      const headers = { 'idempotency-key': randomUUID() };
      const items = [ping(), ping(), ping()];
      const first = idsOf((await send(items, headers)).body.items);

      const { status, body } = await send([items[0], ping({ orderingKey: 'other' }), items[2]], headers, 1);

      expect([status, body.accepted, body.refused]).toEqual([200, 2, 1]);
      expect(idsOf(body.items)).toEqual([first[0], null, first[2]]);
      expect(body.items[1].problem).toMatchObject({ code: 'idempotency_key_reused', status: 422 });
    });

    it('does again at a repeat what was refused the first time, and nothing else', async () => {
      const own = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
      const headers = { 'idempotency-key': randomUUID() };
      const items = [
        { broker: own.id, op: 'broker.ping', orderingKey: null },
        { broker: own.id, op: 'broker.ping', orderingKey: null, contract: 'now_or_fail' },
      ];
      const first = (await send(items, headers)).body.items as Outcome[];
      expect(first[1]?.problem?.code).toBe('broker_offline');
      const link = await own.connect(cluster.hub(1).url);

      const again = (await send(items, headers)).body.items as Outcome[];

      expect(again[0]?.dispatch?.id).toBe(first[0]?.dispatch?.id);
      expect(again[1]?.problem).toBeNull();
      expect(await recorded(own.id)).toBe(2);
      await link.close();
    });
  });
});
