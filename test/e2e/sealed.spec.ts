import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

/** Commands come in at replica 0; the broker is with replica 1, which opens what the other sealed. */
describe('a secret in an agent’s environment', () => {
  let cluster: Cluster;
  let sql: pg.Client;
  let broker: ScriptedBroker;
  let secret: string;
  let environment: Record<string, string>;
  let agent: string;

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
    secret = `planted_${randomUUID().replaceAll('-', '')}`;
    environment = { TOKEN: secret, [`${secret}_NAME`]: 'x' };
    agent = await create();
  });

  const create = async (): Promise<string> => {
    const name = `a-${randomUUID().slice(0, 8)}`;
    const body = { name, broker: broker.id, spec: { command: 'true', environment } };
    expect((await cluster.api(0).post('/api/v1/agents', body)).status).toBe(201);
    return name;
  };
  const act = async (verb: string, of = agent): Promise<string> =>
    (await cluster.api(0).post(`/api/v1/agents/${of}/${verb}`)).body.dispatch.id;
  /** Rows of each table that name the secret anywhere. */
  const traces = async (): Promise<string[]> => {
    const { rows: tables } = await sql.query<{ name: string }>(
      `select c.oid::regclass::text as name from pg_class c
       where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and c.relname <> 'agent'`,
    );
    expect(tables.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['broker_dispatch', 'broker_dispatch_history_default']),
    );
    const found: string[] = [];
    for (const { name } of tables) {
      const { rowCount } = await sql.query(
        `select from ${name} as stored where strpos(stored::text, $1) > 0`,
        [secret],
      );
      if (rowCount !== 0) found.push(name);
    }
    return found;
  };
  const stored = async (id: string) => {
    const { rows } = await sql.query<{ args: { spec: { environment: unknown } } }>(
      `select args from broker_dispatch where id = $1 union all select args from broker_dispatch_history where id = $1`,
      [id],
    );
    return rows[0]?.args.spec.environment;
  };

  it('is in no row of a command, live or ended, and in no log or answer, and comes to the broker as it is', async () => {
    const start = await act('start');
    expect(await stored(start)).toEqual({ $sealed: expect.any(String) });
    expect(await traces()).toEqual([]);

    const link = await broker.connect(cluster.hub(1).url);
    const dispatch = await link.nextDispatch();
    link.ack(dispatch);
    await eventually(async () => (await cluster.api(0).dispatch(start)).state === 'running');
    expect(await traces()).toEqual([]);
    link.succeed(dispatch);
    const ended = await cluster.api(0).dispatch(start, 10);
    const restart = await act('restart');
    const second = await link.nextDispatch();
    link.send({
      t: 'result',
      results: [
        {
          id: second.id,
          attempt: second.attempt,
          outcome: 'failed',
          error: { code: 'broken', message: 'Broken.', retryable: false },
        },
      ],
    });
    await cluster.api(0).dispatch(restart, 10);

    for (const { args } of [dispatch, second]) {
      expect(args).toMatchObject({ spec: { command: 'true', environment } });
    }
    expect(ended.state).toBe('succeeded');
    expect(await stored(start)).toEqual({ $sealed: expect.any(String) });
    expect(await stored(restart)).toEqual({ $sealed: expect.any(String) });
    expect(await traces()).toEqual([]);
    const answers = [
      ended,
      await cluster.api(1).trail(start),
      await cluster.api(1).get('/api/v1/dispatches'),
    ];
    expect(JSON.stringify(answers)).not.toContain(secret);
    for (const hub of cluster.hubs) expect(JSON.stringify(hub.lines)).not.toContain(secret);
    await link.close();
  });

  it('is opened again for another link after the first owner was killed', async () => {
    const owner = await cluster.addReplica();
    const first = await broker.connect(owner.url);
    await act('start');
    await first.nextDispatch();

    await owner.kill();
    const link = await broker.connect(cluster.hub(1).url);
    const dispatch = await link.nextDispatch();

    expect(dispatch).toMatchObject({ attempt: 2, args: { spec: { environment: { TOKEN: secret } } } });
    expect(await traces()).toEqual([]);
    await link.close();
  });

  it('that was sealed for another command is opened for none: it fails without effect, and holds up nothing', async () => {
    const [start, other] = [await act('start'), await act('start', await create())];
    await sql.query(
      `update broker_dispatch
       set args = jsonb_set(args, '{spec,environment}',
                            (select other.args #> '{spec,environment}' from broker_dispatch other where other.id = $2))
       where id = $1`,
      [start, other],
    );
    const after = await cluster.api(0).ping(broker.id, { orderingKey: null });

    const link = await broker.connect(cluster.hub(1).url);
    const sent = [await link.nextDispatch(), await link.nextDispatch()];

    expect(sent.map(({ id }) => id)).toEqual([other, after.body.dispatch.id]);
    expect(await cluster.api(0).dispatch(start, 10)).toMatchObject({
      state: 'failed',
      error: { code: 'seal_unopened', retryable: false, data: { effect: 'none' } },
    });
    await link.close();
  });
});
