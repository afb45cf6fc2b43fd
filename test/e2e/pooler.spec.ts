import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Database } from '../../src/hub/database/database.js';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { migrate } from '../../src/hub/database/migrate.js';
import { MIGRATIONS } from '../../src/hub/database/migrations.js';
import { atOnce } from '../support/at-once.js';
import { Cluster } from '../support/cluster.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { FAIRLEAD } from '../support/hub-process.js';
import { expectNoLeaks } from '../support/leaks.js';
import { leastOf } from '../support/least-of.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { TransactionPooler } from '../support/transaction-pooler.js';

const POOLED = { FAIRLEAD_DATABASE_POOLER: 'transaction' };
const WITHIN_MS = 1_500;

type Behind = { database: TestDatabase; pooler: TransactionPooler };

describe('behind a pooler in transaction mode', () => {
  const opened: Behind[] = [];
  const clusters: Cluster[] = [];
  let alone: Behind & { cluster: Cluster };
  let withDirect: Behind & { cluster: Cluster };

  // Replicas take their time to start, so all do at once, and before any time is taken.
  beforeAll(async () => {
    [alone, withDirect] = await Promise.all([
      cluster(() => POOLED),
      cluster(({ url }) => ({ DATABASE_DIRECT_URL: url })),
    ]);
  }, 90_000);

  afterAll(async () => {
    await Promise.all(clusters.map((made) => made.stop()));
    await Promise.all(opened.map(({ pooler }) => pooler.stop()));
    await Promise.all(opened.map(({ database }) => database.drop()));
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  const open = async (
    behaviour: Parameters<typeof TransactionPooler.start>[1] = {},
    { migrated = true } = {},
  ): Promise<Behind> => {
    const database = await createDatabase({ migrated });
    const pooler = await TransactionPooler.start(database.url, behaviour);
    opened.push({ database, pooler });
    return { database, pooler };
  };
  const cluster = async (env: (database: TestDatabase) => Record<string, string>) => {
    const { database, pooler } = await open();
    const made = await Cluster.start(0, { url: pooler.url, drop: () => Promise.resolve() });
    clusters.push(made);
    // Over their links the replicas would wake each other all the same.
    const given = { FAIRLEAD_PEER_WAKES: 'off', ...env(database) };
    await Promise.all([made.addReplica(given), made.addReplica(given)]);
    return { database, pooler, cluster: made };
  };
  /** A hub that was not told of the pooler. @returns how it ended, and what it said */
  const undeclared = async (options: 'refuse' | 'drop') => {
    const { pooler } = await open({ options });
    const child = spawn(process.execPath, [FAIRLEAD, 'hub', 'start'], {
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: pooler.url,
        FAIRLEAD_SEAL_KEYS: '0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1ff',
        FAIRLEAD_CLUSTER_SECRET: '0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1ff',
        FAIRLEAD_LISTEN: '127.0.0.1:0',
        FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
      },
    });
    let output = '';
    child.stdout.on('data', (text: Buffer) => (output += text.toString()));
    child.stderr.on('data', (text: Buffer) => (output += text.toString()));
    const [code]: unknown[] = await once(child, 'close');
    return { code, output };
  };
  /** Asks at the first replica for what the second one's broker does. @returns milliseconds until the answer */
  const roundTrip = async (
    { hubs }: Cluster,
    asked: ReturnType<Cluster['api']>,
    broker: ScriptedBroker,
    link: Awaited<ReturnType<ScriptedBroker['connect']>>,
  ) => {
    expect(hubs).toHaveLength(2);
    const begunAt = performance.now();
    const waiting = asked.ping(broker.id, { waitS: 20, orderingKey: null });
    const dispatch = await link.nextDispatch();
    link.succeed(dispatch);
    const { body } = await waiting;
    expect(body.dispatch.state).toBe('succeeded');
    await link.next('confirm');
    return performance.now() - begunAt;
  };

  it('nothing that a session keeps is there any more: such is the one of these tests', async () => {
    const { pooler } = await open({ sessions: 2 });
    const client = new pg.Client(pooler.url);
    await client.connect();
    const heard: unknown[] = [];
    client.on('notification', (message) => heard.push(message));

    await client.query({ name: 'kept', text: 'select 1', values: [] });
    await expect(client.query({ name: 'kept', text: 'select 1', values: [] })).rejects.toThrow(
      'does not exist',
    );
    await client.query(`set lock_timeout = '7s'`);
    const { rows } = await client.query<{ lock_timeout: string }>('show lock_timeout');
    expect(rows[0]?.lock_timeout).toBe('0');
    await client.query('listen told');
    await client.query(`notify told, 'a'`);
    await client.query('select 1');
    expect(heard).toEqual([]);

    await client.end();
  });

  it('alone, a command goes across two replicas by polls, within a second and a half', async () => {
    const { cluster: made, pooler } = alone;
    const broker = await ScriptedBroker.join(made.api(0), made.hub(0).url);
    const link = await broker.connect(made.hub(1).url);

    const { body: health } = await made.api(0).get('/health');
    const { body: metrics } = await made.api(1).get('/metrics');
    expect(health.database).toMatchObject({ reachable: true, pooler: 'transaction' });
    expect(health.wakes).toEqual({
      rung: 'poll',
      listens: false,
      healthy: false,
      reconnects: 0,
      canaryDelayMs: null,
    });
    expect(health.status).toBe('ok');
    expect(metrics).toMatch(/^fairlead_wake_by_notify 0$/m);
    const tookMs: number[] = [];
    for (let count = 0; count < 5; count += 1) tookMs.push(await roundTrip(made, made.api(0), broker, link));
    const [, , usual] = tookMs.sort((one, other) => one - other);

    expect(usual).toBeLessThan(WITHIN_MS);
    // A wish to stop finds its way too.
    const { body } = await made.api(0).ping(broker.id, { orderingKey: null });
    const dispatch = await link.nextDispatch();
    link.ack(dispatch);
    await made.api(0).post(`/api/v1/dispatches/${body.dispatch.id}/cancel`);
    link.cancelled(await link.nextCancel(5_000));
    expect(await made.api(0).dispatch(dispatch.id, 10)).toMatchObject({ state: 'cancelled' });
    expect(pooler.named).toEqual([]);
    expect(pooler.handed).toBeGreaterThan(20);
    await link.close();
  });

  it('with a way past it, wakes go by NOTIFY, and the pool keeps nothing in any session', async () => {
    const { cluster: made, pooler } = withDirect;
    const broker = await ScriptedBroker.join(made.api(0), made.hub(0).url);
    const link = await broker.connect(made.hub(1).url);

    const health = await eventually(async () => {
      const { body } = await made.api(0).get('/health');
      return body.wakes.rung === 'notify' && body;
    });
    const tookMs = await leastOf(WITHIN_MS, () => roundTrip(made, made.api(0), broker, link));

    expect(health.database.pooler).toBe('transaction');
    expect(health.wakes).toMatchObject({ listens: true, healthy: true });
    expect(tookMs).toBeLessThan(WITHIN_MS);
    expect(pooler.named).toEqual([]);
    await link.close();
  });

  describe('that was not declared', () => {
    const it = atOnce();

    for (const [what, options] of [
      ['refuses', 'refuse'],
      ['drops', 'drop'],
    ] as const)
      it(`and ${what} settings, the hub does not start, and says what to set`, async () => {
        const { code, output } = await undeclared(options);

        expect(code).toBe(78);
        expect(output).toContain('DATABASE_URL');
        expect(output).toContain('FAIRLEAD_DATABASE_POOLER=transaction');
      });
  });

  it('migrations are run once, by one of the replicas that start together', async () => {
    const { pooler } = await open({}, { migrated: false });

    const ran = await Promise.all([1, 2, 3].map(() => migrate(pooler.url, 'transaction')));

    expect(ran.map((names) => names.length).sort()).toEqual([0, 0, MIGRATIONS.length]);
  });

  it('a transaction takes its settings with it', async () => {
    const { pooler } = await open({ sessions: 2 });
    const dataSource = await makeDataSource(pooler.url, 'test', [], 'transaction').initialize();
    const read = {
      name: 'read_settings',
      text: `select current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement,
                    current_setting('idle_in_transaction_session_timeout') as idle`,
    };

    const own = new Database(dataSource);
    const within = await own.transaction((run) => run(read));

    expect(within).toEqual([{ lock: '2s', statement: '14s', idle: '5s' }]);
    expect([await own.run(read), await own.run(read)]).toEqual(
      Array.from({ length: 2 }, () => [{ lock: '0', statement: '0', idle: '0' }]),
    );
    await dataSource.destroy();
  });

  it('what was in flight when its session broke is in doubt, whatever the pooler says of it', async () => {
    const { pooler } = await open();
    const dataSource = await makeDataSource(pooler.url, 'test', [], 'transaction').initialize();
    const own = new Database(dataSource);
    await own.run({ name: 'make', text: 'create table kept (id integer)' });
    pooler.loseAnswerTo = 'insert into kept';

    await expect(own.run({ name: 'keep', text: 'insert into kept values (1)' })).rejects.toMatchObject({
      code: 'database_unavailable',
      statement: 'in_doubt',
    });

    expect(await own.run({ name: 'count', text: 'select id from kept' })).toEqual([{ id: 1 }]);
    await dataSource.destroy();
  });
});
