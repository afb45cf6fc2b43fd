import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { plantPings } from '../support/dispatch-rows.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker, type ScriptedLink } from '../support/scripted-broker.js';

/** How long a session waits for what another holds. */
const LOCK_TIMEOUT_MS = 2_000;

/** Each is stored by a statement of its own, whose fences are tried alike. */
const STORED = ['alone', 'together with another', 'with an idempotency key'] as const;
type Stored = (typeof STORED)[number];

/** @param other a broker that the other command is for: it answers nothing, and is linked, since what is refused together is stored alone */
async function askFor(
  cluster: Cluster,
  replica: number,
  { broker, ...order }: { broker: string; orderingKey: string | null },
  stored: Stored,
  other: ScriptedBroker,
): Promise<string> {
  const api = cluster.api(replica);
  if (stored !== 'together with another') {
    const key = stored === 'alone' ? {} : { key: randomUUID() };
    return (await api.ping(broker, { ...order, ...key })).body.dispatch.id;
  }
  const op = 'broker.ping';
  const items = [
    { broker: other.id, op, orderingKey: null },
    { broker, op, ...order },
  ];
  return (await api.post('/api/v1/dispatches/batch', { items })).body.items[1].dispatch.id;
}

/** A replica counts what waits for a broker with the first command that it has for it, by the statement that does more. */
async function makeKnown(
  cluster: Cluster,
  broker: ScriptedBroker,
  replicas: readonly number[],
): Promise<void> {
  for (const replica of replicas) await cluster.api(replica).ping(broker.id, { orderingKey: null });
}

/** The broker is linked to replica 0. */
describe('a command that comes in where its broker is linked', () => {
  let cluster: Cluster;
  let sql: pg.Client;
  let other: ScriptedBroker;
  let broker: ScriptedBroker;
  let link: ScriptedLink;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    other = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    await other.connect(cluster.hub(0).url);
    await makeKnown(cluster, other, [0]);
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
    await makeKnown(cluster, broker, [0]);
    link.succeed(await link.nextDispatch());
  });

  const ask = (
    replica: number,
    orderingKey: string | null = null,
    stored: Stored = 'alone',
  ): Promise<string> => askFor(cluster, replica, { broker: broker.id, orderingKey }, stored, other);
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

  it('is stored as claimed and sent at once, and claimed like any other where it came in elsewhere with a key', async () => {
    const here = await ask(0);
    const first = await link.nextDispatch();
    const there = await ask(1, 'k');
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

  it.each(STORED)(
    'waits, %s, behind a live command of its key that this replica has not heard of',
    async (stored) => {
      const [earlier] = await plantPings(sql, [{ brokerId: broker.id, orderingKey: 'k' }]);

      const later = await ask(0, 'k', stored);

      expect(await isHanded(later)).toBe(false);
      const first = await link.nextDispatch();
      expect(first.id).toBe(earlier);
      link.succeed(first);
      const next = await link.nextDispatch();
      expect(next.id).toBe(later);
      link.succeed(next);
      await cluster.api(0).dispatch(later, 10);
    },
  );

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

  it.each(STORED)(
    'is stored, %s, like any other, at once, while the connection is held by somebody who may move it',
    async (stored) => {
      const mover = new pg.Client(cluster.database.url);
      await mover.connect();
      await mover.query('begin');
      await mover.query('select from broker_connection where broker_id = $1 for update', [broker.id]);

      const askedAt = performance.now();
      const id = await ask(0, null, stored);

      expect(performance.now() - askedAt).toBeLessThan(LOCK_TIMEOUT_MS);
      expect(await isHanded(id)).toBe(false);
      await mover.query('rollback');
      await mover.end();
      const sent = await link.nextDispatch();
      expect(sent.id).toBe(id);
      link.succeed(sent);
      await cluster.api(0).dispatch(id, 10);
    },
  );

  it.each(STORED)(
    'is only stored, %s, where the broker has moved on and this replica has not heard of it',
    async (stored) => {
      await sql.query('update broker_connection set epoch = epoch + 1 where broker_id = $1', [broker.id]);

      const id = await ask(0, null, stored);

      expect(await isHanded(id)).toBe(false);
      const next = await broker.connect(cluster.hub(1).url);
      const sent = await next.nextDispatch();
      next.succeed(sent);
      expect(await cluster.api(0).dispatch(id, 10)).toMatchObject({ state: 'succeeded', attempt: 1 });
    },
  );

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

/** The broker is linked to replica 0, and commands come in at replica 1. */
describe('a command without an ordering key that comes in elsewhere than where its broker is linked', () => {
  let cluster: Cluster;
  let sql: pg.Client;
  let other: ScriptedBroker;
  let broker: ScriptedBroker;
  let link: ScriptedLink;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    other = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    await other.connect(cluster.hub(0).url);
    await makeKnown(cluster, other, [1]);
    await cluster.addReplica({ FAIRLEAD_CLAIM_AHEAD: 'off' });
    sql = new pg.Client(cluster.database.url);
    await sql.connect();
    // Commands are claimed ahead only where hints arrive, which the first canary shows.
    for (const replica of [0, 1, 2])
      await eventually(async () => (await cluster.api(replica).get('/health')).body.wakes.rung === 'notify');
  }, 60_000);

  afterAll(async () => {
    await sql.end();
    await cluster.stop();
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  }, 30_000);

  beforeEach(async () => {
    broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    link = await broker.connect(cluster.hub(0).url);
    await makeKnown(cluster, broker, [1]);
    link.succeed(await link.nextDispatch());
  });

  const ask = async (
    replica: number,
    overrides: Record<string, unknown> = {},
    stored: Stored = 'alone',
  ): Promise<string> =>
    askFor(cluster, replica, { broker: broker.id, orderingKey: null, ...overrides }, stored, other);
  const standing = async (id: string): Promise<Record<string, unknown>> => {
    const columns = `claimed_by as owner, claim_epoch, coalesce(claimed_at = created_at, false) as "isAhead"`;
    const { rows } = await sql.query(
      `select state, ${columns} from broker_dispatch where id = $1
       union all
       select state, ${columns} from broker_dispatch_history where id = $1`,
      [id],
    );
    return rows[0];
  };

  const replicaOf = async (index: number): Promise<string> => {
    const { rows } = await sql.query('select id from hub_replica where public_url = $1', [
      cluster.hub(index).url,
    ]);
    return rows[0].id;
  };

  it.each(STORED)(
    'is stored, %s, as claimed for the replica that owns the connection, which sends it',
    async (stored) => {
      const id = await ask(1, {}, stored);
      const sent = await link.nextDispatch();

      expect(sent).toMatchObject({ id, attempt: 1 });
      expect(await standing(id)).toMatchObject({
        ...{ isAhead: true, owner: await replicaOf(0), claim_epoch: String(broker.lastEpoch) },
      });
      link.succeed(sent);
      expect(await cluster.api(1).dispatch(id, 10)).toMatchObject({ state: 'succeeded', attempt: 1 });
      const steps = (await cluster.api(1).trail(id)).filter(({ state }) => state !== 'running');
      expect(steps.map(({ state, replica, attempt }) => [state, replica, attempt])).toEqual([
        ['pending', await replicaOf(1), undefined],
        ['claimed', await replicaOf(0), 1],
        ['succeeded', await replicaOf(0), 1],
      ]);
    },
  );

  it('is sent when its owner is told, and not when it next looks', async () => {
    const began = performance.now();
    for (let turn = 0; turn < 5; turn += 1) {
      const id = await ask(1);
      link.succeed(await link.nextDispatch());
      await cluster.api(1).dispatch(id, 10);
    }

    // One that waits for a look waits up to 5 s, and the next one from then on.
    expect(performance.now() - began).toBeLessThan(12_000);
  });

  it('answers a caller who waits just as its row tells it afterwards', async () => {
    const asked = cluster.api(1).ping(broker.id, { orderingKey: null, waitS: 10 });
    link.succeed(await link.nextDispatch());
    const { body } = await asked;

    expect(body.dispatch.state).toBe('succeeded');
    const { body: read } = await cluster.api(0).get(`/api/v1/dispatches/${body.dispatch.id}`);
    expect(body).toEqual(read);
  });

  it.each([
    ['has a key', 1, { orderingKey: 'k' }],
    ['is bound to the link', 1, { contract: 'on_attach' }],
    ['has another lane', 1, { lane: 'bulk' }],
    ['comes in where that is switched off', 2, {}],
  ])('is claimed by the owner where it %s', async (_what, replica, overrides) => {
    const id = await ask(replica, overrides);
    link.succeed(await link.nextDispatch());

    await cluster.api(1).dispatch(id, 10);
    expect(await standing(id)).toMatchObject({ isAhead: false });
  });

  it.each(STORED)(
    'is not claimed, %s, before the inventory of the connection is taken, which would judge it',
    async (stored) => {
      await link.close();
      const welcomed = await broker.dial(cluster.hub(0).url);
      welcomed.send(broker.hello());
      await welcomed.next('welcome');

      const id = await ask(1, {}, stored);

      expect(await standing(id)).toMatchObject({ state: 'pending' });
      welcomed.send({ t: 'inventory', entries: [], last: true });
      welcomed.succeed(await welcomed.nextDispatch());
      expect(await cluster.api(1).dispatch(id, 10)).toMatchObject({ state: 'succeeded' });
    },
  );

  it.each(STORED)(
    'is stored, %s, like any other, at once, while the connection is held by somebody who may move it',
    async (stored) => {
      const mover = new pg.Client(cluster.database.url);
      await mover.connect();
      await mover.query('begin');
      await mover.query('select from broker_connection where broker_id = $1 for update', [broker.id]);

      const askedAt = performance.now();
      const id = await ask(1, {}, stored);

      expect(performance.now() - askedAt).toBeLessThan(LOCK_TIMEOUT_MS);
      expect(await standing(id)).toMatchObject({ state: 'pending' });
      await mover.query('rollback');
      await mover.end();
      link.succeed(await link.nextDispatch());
      await cluster.api(1).dispatch(id, 10);
    },
  );

  it('is sent although its owner was never told, once its rows are looked at again', async () => {
    const [id] = await plantPings(sql, [{ brokerId: broker.id, orderingKey: null }]);
    await sql.query(
      `update broker_dispatch dispatch
       set state = 'claimed', attempt = 1, claimed_by = connection.replica_id, claim_epoch = connection.epoch,
           claim_journal = connection.journal_id, claimed_at = now()
       from broker_connection connection
       where dispatch.id = $1 and connection.broker_id = dispatch.broker_id`,
      [id],
    );

    const sent = await link.nextDispatch(8_000);

    expect(sent).toMatchObject({ id, attempt: 1 });
    link.succeed(sent);
    expect(await cluster.api(1).dispatch(id ?? '', 10)).toMatchObject({ state: 'succeeded' });
  });

  it('goes out once, over the next link, where its owner died before it sent anything', async () => {
    const owner = await cluster.addReplica();
    const moved = await broker.connect(owner.url);
    owner.signal('SIGSTOP');
    const id = await ask(1);
    expect(await standing(id)).toMatchObject({ state: 'claimed', isAhead: true });

    await owner.kill();
    await moved.closed;
    const next = await broker.connect(cluster.hub(0).url);
    const sent = await next.nextDispatch();

    expect(sent).toMatchObject({ id, attempt: 2 });
    next.succeed(sent);
    expect(await cluster.api(1).dispatch(id, 10)).toMatchObject({ state: 'succeeded', failures: 0 });
  });
});
