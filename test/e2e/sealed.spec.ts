import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { SEAL_KEY } from '../support/hub-process.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

/** Commands come in at replica 0; the broker is with replica 1, which opens what the other sealed. */
describe('a secret in an agent’s environment', () => {
  let cluster: Cluster;
  let sql: pg.Client;
  let broker: ScriptedBroker;
  let secret: string;
  let name: string;
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
    name = `NAME_${randomUUID().replaceAll('-', '')}`;
    environment = { TOKEN: secret, [name]: 'x' };
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
  /** Tables of which some row holds the secret anywhere, or the variable's name, which only the agent's own row may. */
  const traces = async (): Promise<string[]> => {
    const { rows: tables } = await sql.query<{ name: string }>(
      `select c.oid::regclass::text as name from pg_class c
       where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace`,
    );
    expect(tables.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['agent', 'broker_dispatch', 'broker_dispatch_history_default']),
    );
    const found: string[] = [];
    for (const { name: table } of tables) {
      const { rowCount } = await sql.query(
        `select from ${table} as stored where strpos(stored::text, $1) > 0 or strpos(stored::text, $2) > 0`,
        [secret, table === 'agent' ? secret : name],
      );
      if (rowCount !== 0) found.push(table);
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
      await cluster.api(1).get('/api/v1/agents'),
      await cluster.api(0).get(`/api/v1/agents/${agent}`),
    ];
    expect(JSON.stringify(answers)).not.toContain(secret);
    for (const hub of cluster.hubs) expect(JSON.stringify(hub.lines)).not.toContain(secret);
    await link.close();
  });

  it('is shown by its name alone, also to whoever makes the agent', async () => {
    const body = {
      name: `a-${randomUUID().slice(0, 8)}`,
      broker: broker.id,
      spec: { command: 'true', environment },
    };

    const made = await cluster.api(0).post('/api/v1/agents', body);
    const { body: shown } = await cluster.api(1).get(`/api/v1/agents/${body.name}`);

    expect(made.body.spec).toMatchObject({ command: 'true', environment: ['TOKEN', name] });
    expect(shown.spec).toEqual(made.body.spec);
  });

  it('outlives the rotation of the keys, in a command and in an agent, also one that stood in clear', async () => {
    const before = await cluster.addReplica();
    const inClear = await create();
    await act('start');
    await before.kill();
    await sql.query(
      `update agent set spec = jsonb_set(spec, '{environment}', jsonb_build_object('TOKEN', $2::text)) where name = $1`,
      [inClear, secret],
    );
    expect(await traces()).toEqual(['agent']);

    const after = await cluster.addReplica({
      FAIRLEAD_SEAL_KEYS: `${randomBytes(32).toString('hex')},${SEAL_KEY}`,
    });
    await eventually(async () => (await traces()).length === 0);
    const link = await broker.connect(after.url);
    const started = await link.nextDispatch();
    link.succeed(started);
    const api = cluster.api(cluster.hubs.indexOf(after));
    await api.dispatch(started.id, 10);
    await api.post(`/api/v1/agents/${agent}/restart`);
    const restarted = await link.nextDispatch();
    link.succeed(restarted);
    await api.post(`/api/v1/agents/${inClear}/start`);
    const sealedLater = await link.nextDispatch();
    link.succeed(sealedLater);
    await api.dispatch(sealedLater.id, 10);

    for (const { args } of [started, restarted]) expect(args).toMatchObject({ spec: { environment } });
    expect(sealedLater.args).toMatchObject({ spec: { environment: { TOKEN: secret } } });
    expect(await traces()).toEqual([]);
    await link.close();
    await after.kill();
  });

  it('that no key of the ring sealed keeps its agent from starting, and nothing else of it', async () => {
    const other = await create();
    await sql.query(
      `update agent
       set spec = jsonb_set(spec, '{environment}', (select spec -> 'environment' from agent where name = $2))
       where name = $1`,
      [agent, other],
    );

    const { status, body } = await cluster.api(0).post(`/api/v1/agents/${agent}/start`);

    expect([status, body.code]).toEqual([409, 'environment_unopened']);
    expect((await cluster.api(0).get(`/api/v1/agents/${agent}`)).body).toMatchObject({
      phase: 'created',
      spec: { environment: ['TOKEN', name] },
    });
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
