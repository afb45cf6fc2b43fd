import { setTimeout as rest } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { HubProcess } from '../support/hub-process.js';
import { leastOf } from '../support/least-of.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { DatabaseProxy } from './support/database-proxy.js';

/** Within this long of a reachable database its wakes are heard again. */
const HEALED_MS = 2_000;

describe('a database', () => {
  let cluster: Cluster;
  let proxy: DatabaseProxy;
  let database: pg.Client;

  beforeAll(async () => {
    cluster = await Cluster.start(1);
    proxy = await DatabaseProxy.start(cluster.database.url);
    // What is tried here is the way through the database; over their links replicas would wake each other all the same.
    const env = { DATABASE_URL: proxy.url, FAIRLEAD_PEER_WAKES: 'off' };
    await Promise.all([1, 2].map(() => cluster.addReplica(env)));
    // The first replica only made the hub: all that are left reach the database through the proxy.
    await cluster.hub(0).stop();
    database = new pg.Client(cluster.database.url);
    await database.connect();
  }, 120_000);

  afterAll(async () => {
    await database.end();
    await cluster.stop();
    await proxy.stop();
  });

  const join = () => ScriptedBroker.join(cluster.api(1), cluster.hub(1).url);

  it('that hangs for 12 s costs no replica its place, no broker its link, and no command its life', async () => {
    const broker = await join();
    const link = await broker.connect(cluster.hub(1).url);
    const early = await cluster.api(2).ping(broker.id, { orderingKey: null });
    const dispatch = await link.nextDispatch();

    const thaw = proxy.freeze();
    link.succeed(dispatch);
    await rest(6_000);
    const refused = await cluster.api(2).ping(broker.id);
    await rest(6_000);
    const { rows: thawed } = await database.query<{ now: Date }>('select now()');
    thaw();
    const confirmed = await link.next('confirm', 20_000);
    const late = await eventually(
      async () => {
        const answer = await cluster.api(2).ping(broker.id, { orderingKey: null });
        return answer.status === 202 && answer;
      },
      { withinMs: 20_000 },
    );
    const next = await link.nextDispatch(10_000);
    link.succeed(next);

    expect(refused.status).toBe(503);
    expect(confirmed.ids).toEqual([early.body.dispatch.id]);
    expect(next.id).toBe(late.body.dispatch.id);
    expect(await cluster.api(1).dispatch(next.id, 5)).toMatchObject({ state: 'succeeded', attempt: 1 });
    // Whoever was declared gone beats no more under its id: both have done so since, and are what is active.
    const since = thawed[0]?.now.getTime() ?? Infinity;
    await eventually(
      async () => {
        const { body } = await cluster.api(1).get('/api/v1/replicas');
        const active = body.items.filter(({ state }: { state: string }) => state === 'active');
        expect(active.map(({ id }: { id: string }) => id).sort()).toEqual(
          [cluster.hub(1).replicaId, cluster.hub(2).replicaId].sort(),
        );
        return active.every(({ lastSeenAt }: { lastSeenAt: string }) => Date.parse(lastSeenAt) > since);
      },
      { withinMs: 10_000 },
    );
    await link.close();
  });

  it.each([
    ['the lock of its migrations', 'question', 'select pg_try_advisory_xact_lock($1) as mine'],
    ['the row of the replica', 'answer', 'enter_replica'],
    ['who comes in first', 'answer', 'create_first_administrator'],
    ['where others find it', 'question', 'advertise_replica'],
    ['its readiness', 'answer', 'activate_replica'],
  ] as const)(
    'that goes away while a replica that starts writes down %s costs it time alone',
    async (_what, part, statement) => {
      const lost = proxy.lose(part, statement);

      const hub = await HubProcess.start(cluster.database.url, { DATABASE_URL: proxy.url });
      await lost;

      const { body } = await cluster.api(1).get('/api/v1/replicas');
      const started = body.items.filter(({ id }: { id: string }) => id === hub.replicaId);
      expect(started).toMatchObject([{ state: 'active' }]);
      await hub.stop();
    },
  );

  it('that hangs as a drain begins holds up neither the door nor readiness', async () => {
    const leaving = await HubProcess.start(cluster.database.url, { DATABASE_URL: proxy.url });
    const readiness = async () => (await fetch(`${leaving.url}/readyz`)).status;
    const before = await readiness();

    const thaw = proxy.freeze();
    leaving.signal('SIGTERM');
    await eventually(async () => (await readiness()) === 503, { withinMs: 3_000 });
    thaw();

    expect(before).toBe(200);
    expect(await leaving.ended()).toBe(0);
  });

  it('that ends the sessions on which replicas listen is listened to again within 2 s', async () => {
    const broker = await join();
    const link = await broker.connect(cluster.hub(1).url);
    const wakes = async () => (await cluster.api(1).get('/health')).body.wakes;
    const cut: number[] = [];

    const healedMs = await leastOf(HEALED_MS, async () => {
      const { reconnects } = await wakes();
      const { rows } = await database.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and application_name like '%/listen'`,
      );
      const cutAt = performance.now();
      cut.push(rows.length);
      await eventually(
        async () => {
          const now = await wakes();
          return now.healthy && now.reconnects > reconnects;
        },
        { withinMs: 20_000 },
      );
      return performance.now() - cutAt;
    });
    // Through the other replica, so that only a wake can be this fast.
    const tookMs = await leastOf(1_500, async () => {
      const sentAt = performance.now();
      await cluster.api(2).ping(broker.id);
      link.succeed(await link.nextDispatch());
      return performance.now() - sentAt;
    });

    expect(cut[0]).toBe(2);
    expect(healedMs).toBeLessThan(HEALED_MS);
    expect(tookMs).toBeLessThan(1_500);
    await link.close();
  });

  it('that tells those who listen nothing more, on sockets that stay open, is known to be silent, and missed by no command', async () => {
    const broker = await join();
    const link = await broker.connect(cluster.hub(1).url);
    const health = async () => (await cluster.api(1).get('/health')).body.wakes;

    const hear = proxy.deafen();
    await eventually(async () => (await health()).rung === 'poll');
    const { body } = await cluster.api(2).ping(broker.id);
    const dispatch = await link.nextDispatch();
    link.succeed(dispatch);
    const ended = await cluster.api(2).dispatch(dispatch.id, 10);
    const deaf = await health();
    hear();
    const heardAt = performance.now();
    await eventually(async () => (await health()).rung === 'notify', { withinMs: 20_000 });
    let healedMs = performance.now() - heardAt;
    if (healedMs >= HEALED_MS)
      healedMs = await leastOf(HEALED_MS, async () => {
        const hearAgain = proxy.deafen();
        await eventually(async () => (await health()).rung === 'poll', { withinMs: 20_000 });
        hearAgain();
        const at = performance.now();
        await eventually(async () => (await health()).rung === 'notify', { withinMs: 20_000 });
        return performance.now() - at;
      });

    expect(dispatch.id).toBe(body.dispatch.id);
    expect(ended).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect(deaf).toMatchObject({ rung: 'poll', healthy: false });
    expect(healedMs).toBeLessThan(HEALED_MS);
    await link.close();
  });

  it('is listened to on sessions of their own, past the pooler where there is one', async () => {
    const direct = cluster.database.url;
    const hub = await cluster.addReplica({ DATABASE_URL: proxy.url, DATABASE_DIRECT_URL: direct });
    const channel = (replica: string) => `fairlead_${replica.replaceAll('-', '')}`;
    await eventually(async () => (await cluster.api(3).get('/health')).body.wakes.healthy);

    const { rows } = await database.query<{ name: string; statement: string }>(
      `select application_name as name, query as statement from pg_stat_activity
       where datname = current_database() and query ilike 'listen %'`,
    );

    expect(rows.map(({ statement }) => statement)).toContain(`listen "${channel(hub.replicaId)}"`);
    for (const { name } of rows) expect(name).toMatch(/\/listen$/);
    expect(proxy.channels.sort()).toEqual(
      [channel(cluster.hub(1).replicaId), channel(cluster.hub(2).replicaId)].sort(),
    );
    await hub.stop();
  });

  it('hears of 300 commands in few notifications, none of them in a transaction that writes', async () => {
    const broker = await join();
    const link = await broker.connect(cluster.hub(1).url);
    const heard: { pid: number; payload: string }[] = [];
    const listener = new pg.Client(cluster.database.url);
    await listener.connect();
    listener.on('notification', ({ processId, payload = '' }) => {
      if (!payload.startsWith('canary:')) heard.push({ pid: processId, payload });
    });
    for (const channel of proxy.channels) await listener.query(`listen "${channel}"`);

    const items = Array.from({ length: 300 }, () => ({
      broker: broker.id,
      op: 'broker.ping',
      orderingKey: null,
    }));
    const { status } = await cluster.api(2).post('/api/v1/dispatches/batch', { items });
    await link.nextDispatch();
    await eventually(() => heard.length > 0);

    expect(status).toBe(200);
    expect(heard.length).toBeLessThan(10);
    for (const { payload } of heard) expect(Buffer.byteLength(payload)).toBeLessThan(8_000);
    const { rows } = await database.query<{ name: string }>(
      'select application_name as name from pg_stat_activity where pid = any ($1)',
      [heard.map(({ pid }) => pid)],
    );
    for (const { name } of rows) expect(name).toMatch(/\/notify$/);
    await listener.end();
    link.cut();
  });

  it('that caught ended commands of a day without a partition gives them to the partition, once made', async () => {
    // Ids are time: a process whose clock runs ahead by 20 days ends its commands in a day that has no partition yet.
    const ahead = Date.now() + 20 * 86_400_000;
    const day = new Date(ahead).toISOString().slice(0, 10);
    const hex = ahead.toString(16).padStart(12, '0');
    const id = `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000001`;
    await database.query(
      `insert into broker_dispatch_history
         (id, seq, broker_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail)
       values ($1, 1, $1, 'broker.ping', '{}', 'normal', 'succeeded', now(), $1, '{}', '{}')`,
      [id],
    );
    const place = async () =>
      (
        await database.query<{ at: string }>(
          'select tableoid::regclass::text as at from broker_dispatch_history where id = $1',
          [id],
        )
      ).rows.map(({ at }) => at);
    const before = await place();

    await database.query('select make_history_partition($1::date)', [day]);

    expect(before).toEqual(['broker_dispatch_history_default']);
    expect(await place()).toEqual([`broker_dispatch_history_p${day.replaceAll('-', '')}`]);
  });
});
