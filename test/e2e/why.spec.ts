import { execFile } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { FactDto, WhyDto } from '../../src/hub/dispatch/dto/why.dto.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { FAIRLEAD } from '../support/hub-process.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker, type ScriptedLink } from '../support/scripted-broker.js';

describe('why a command does not go on', () => {
  let cluster: Cluster;
  const links: ScriptedLink[] = [];

  beforeAll(async () => {
    cluster = await Cluster.start(2);
  });

  afterEach(() => {
    for (const link of links.splice(0)) link.cut();
  });

  afterAll(async () => {
    await cluster.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  const join = () => ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);

  /** A link to the replica that is not asked why. */
  async function connect(broker: ScriptedBroker, hello: Parameters<ScriptedBroker['connect']>[2] = {}) {
    const link = await broker.connect(cluster.hub(1).url, [], hello);
    links.push(link);
    return link;
  }

  async function submit(broker: ScriptedBroker, body: Record<string, unknown> = {}): Promise<string> {
    const path = `/api/v1/brokers/${broker.id}/dispatches`;
    const answer = await cluster.api(0).post(path, { op: 'broker.ping', ...body });
    expect(answer.status).toBe(202);
    return answer.body.dispatch.id;
  }

  async function why(id: string): Promise<WhyDto> {
    const { status, body } = await cluster.api(0).get(`/api/v1/dispatches/${id}/why`);
    expect(status).toBe(200);
    return body;
  }

  const whyOnce = (id: string, cause: WhyDto['cause'], options?: { withinMs: number }) =>
    eventually(async () => {
      const said = await why(id);
      expect(said.cause).toBe(cause);
      return said;
    }, options);

  const factOf = ({ facts }: WhyDto, name: string): FactDto | undefined =>
    facts.find((fact) => fact.name === name);

  /** The second replica holds the broker, under the epoch of this link. */
  const heldByTheSecond = (broker: ScriptedBroker) => ({
    replica: cluster.hub(1).replicaId,
    name: expect.any(String),
    state: 'active',
    epoch: broker.lastEpoch,
  });

  it('is that its broker is offline: since when, and for what reason', async () => {
    const broker = await join();
    await (await connect(broker)).close();
    await submit(broker);
    const id = await submit(broker);

    const said = await whyOnce(id, 'broker_offline');

    expect(said).toMatchObject({
      id,
      state: 'pending',
      holder: null,
      position: 1,
      blockedBy: expect.any(String),
    });
    expect(said.explanation).toContain('not connected since');
    expect(said.unblocks).toContain('fairlead broker start');
    expect(factOf(said, 'presence')?.value).toBe('offline');
    expect(factOf(said, 'connection let go of')?.ageS).toBeGreaterThanOrEqual(0);
    expect(factOf(said, 'accepted')?.ageS).toBeLessThan(30);
    expect(factOf(said, 'deadline')?.ageS).toBeLessThan(-800);
  });

  it('is that its broker cannot be reached, once the sweep of presence has found it silent', async () => {
    const broker = await join();
    (await connect(broker)).cut();
    const id = await submit(broker);
    await whyOnce(id, 'broker_offline');

    await letGoLongAgo(broker);

    const said = await whyOnce(id, 'broker_unreachable', { withinMs: 20_000 });
    expect(said).toMatchObject({ holder: null, position: 0 });
    expect(factOf(said, 'presence')).toMatchObject({ value: 'unreachable', ageS: expect.any(Number) });
    expect(said.explanation).toContain(String(factOf(said, 'presence')?.at));
  });

  it('is that its broker has connected, and has not told its inventory', async () => {
    const broker = await join();
    await (await connect(broker)).close();
    const link = await broker.dial(cluster.hub(1).url);
    link.send(broker.hello());
    await link.next('welcome');
    const id = await submit(broker);

    const said = await whyOnce(id, 'inventory_due');

    expect(said.holder?.replica).toBe(cluster.hub(1).replicaId);
    link.send({ t: 'inventory', entries: [], last: true });
    expect((await link.nextDispatch()).id).toBe(id);
  });

  it('is that the window of its broker is full', async () => {
    const broker = await join();
    const link = await connect(broker, { window: 1 });
    const first = await submit(broker, { orderingKey: null });
    const id = await submit(broker, { orderingKey: null });
    const dispatch = await link.nextDispatch();

    const said = await why(id);

    expect(said).toMatchObject({ cause: 'window_full', position: 1, holder: heldByTheSecond(broker) });
    expect(factOf(said, 'unacknowledged of window')?.value).toBe('1 of 1');
    link.ack(dispatch);
    expect(dispatch.id).toBe(first);
    expect((await link.nextDispatch()).id).toBe(id);
  });

  it('is an earlier command of its key, which is named', async () => {
    const broker = await join();
    const link = await connect(broker);
    const blocker = await submit(broker, { orderingKey: 'a-key' });
    const id = await submit(broker, { orderingKey: 'a-key' });
    const dispatch = await link.nextDispatch();
    link.ack(dispatch);
    await whyOnce(blocker, 'running');

    const said = await why(id);

    expect(said).toMatchObject({
      cause: 'held_by_order',
      blockedBy: blocker,
      position: 1,
      holder: heldByTheSecond(broker),
    });
    expect(said.explanation).toContain(`broker.ping ${blocker}, which is running`);
    expect(said.unblocks).toContain(`fairlead why ${blocker}`);
    expect(factOf(said, 'blocking command')).toMatchObject({ value: 'running', ageS: expect.any(Number) });
    link.succeed(dispatch);
    expect((await link.nextDispatch()).id).toBe(id);
  });

  it('is a rest after a failure, and until when', async () => {
    const broker = await join();
    const link = await connect(broker);
    const id = await submit(broker);

    const said = await restingAfterAFailure(link, id);

    expect(said).toMatchObject({ cause: 'backoff', state: 'pending', holder: heldByTheSecond(broker) });
    expect(said.unblocks).toContain('Time');
    const rest = factOf(said, 'rests after a failure until');
    expect(rest?.ageS).toBeLessThanOrEqual(0);
    expect(said.explanation).toContain(String(rest?.at));
    expect(Number(factOf(said, 'failures')?.value)).toBeGreaterThan(0);
  });

  it('is the wish of its caller that it be sent later', async () => {
    const broker = await join();
    await connect(broker);
    const notBefore = new Date(Date.now() + 3_600_000).toISOString();
    const id = await submit(broker, { notBefore, deadlineS: 7_200 });

    const said = await why(id);

    expect(said).toMatchObject({ cause: 'not_before', position: 0, holder: heldByTheSecond(broker) });
    expect(said.explanation).toContain(notBefore);
    expect(factOf(said, 'not before')?.ageS).toBeLessThan(-3_500);
  });

  it('is that the replica which holds its broker drains, while the broker is still there', async () => {
    const broker = await join();
    const hub = await cluster.addReplica({ FAIRLEAD_DRAIN_LINGER_S: '30', FAIRLEAD_DRAIN_DEADLINE_S: '60' });
    // Without the broker's inventory nothing is sent to it: the command meets the drain.
    const link = await broker.dial(hub.url);
    links.push(link);
    link.send(broker.hello());
    const { epoch } = await link.next('welcome');
    const id = await submit(broker);

    hub.signal('SIGTERM');

    const said = await whyOnce(id, 'draining', { withinMs: 10_000 });
    expect(said).toMatchObject({
      state: 'pending',
      position: 0,
      holder: { replica: hub.replicaId, state: 'draining', epoch },
    });
    expect(said.unblocks).toContain('The move');
    expect(factOf(said, 'replica')).toMatchObject({ value: 'draining', ageS: expect.any(Number) });
    await hub.kill();
  });

  it('is that its broker came back without what its op needs', async () => {
    const broker = await join();
    const name = `agent-${broker.name}`;
    await cluster.api(0).post('/api/v1/agents', { name, broker: broker.id, spec: { command: 'true' } });
    const { body } = await cluster.api(0).post(`/api/v1/agents/${name}/start`);
    const { id } = body.dispatch;

    await connect(broker, { capabilities: [] });

    const said = await why(id);
    expect(said).toMatchObject({ cause: 'capability_missing', holder: heldByTheSecond(broker) });
    expect(said.explanation).toContain('agent.start');
    expect(said.unblocks).toContain('Upgrade the broker');
  });

  it('is that its broker has not said that it has it, then that it runs, then that it is to stop', async () => {
    const broker = await join();
    const link = await connect(broker);
    const id = await submit(broker);
    const dispatch = await link.nextDispatch();

    const sent = await why(id);
    link.ack(dispatch);
    const running = await whyOnce(id, 'running');
    await cluster.api(0).post(`/api/v1/dispatches/${id}/cancel`);
    const cancelling = await why(id);

    expect(sent).toMatchObject({
      cause: 'unacknowledged',
      state: 'claimed',
      holder: heldByTheSecond(broker),
    });
    expect(factOf(sent, 'attempt')).toMatchObject({ value: '1', ageS: expect.any(Number) });
    expect(running).toMatchObject({ state: 'running', position: 0, unblocks: "The broker's result." });
    expect(cancelling).toMatchObject({
      cause: 'cancelling',
      state: 'running',
      holder: heldByTheSecond(broker),
    });
    expect(factOf(cancelling, 'cancel asked for')?.ageS).toBeGreaterThanOrEqual(0);
  });

  it('is that it has ended, and how', async () => {
    const broker = await join();
    const link = await connect(broker);
    const id = await submit(broker);
    const { attempt } = await link.nextDispatch();
    const error = { code: 'no_luck', message: 'It was not to be.', retryable: false };
    link.send({ t: 'result', results: [{ id, attempt, outcome: 'failed', error }] });

    const said = await whyOnce(id, 'ended');

    expect(said).toMatchObject({ state: 'failed', position: 0, blockedBy: null });
    expect(said.explanation).toBe('It has ended: failed, no_luck.');
  });

  it('is not told of a command that nobody gave', async () => {
    for (const id of ['0198f1a2-7c44-7e11-9d5e-aaaaaaaaaaaa', 'no-id']) {
      const { status, body } = await cluster.api(0).get(`/api/v1/dispatches/${id}/why`);

      expect([status, body.code]).toEqual([404, 'not_found']);
    }
  });

  describe('on the command line', () => {
    it('is printed with cause, remedy, holder, place and ages, and with --json as the hub answers', async () => {
      const broker = await join();
      const link = await connect(broker);
      const blocker = await submit(broker);
      const id = await submit(broker);
      link.ack(await link.nextDispatch());
      await whyOnce(blocker, 'running');

      const told = await fairlead('why', id);
      const json = await fairlead('why', id, '--json');

      expect(told).toMatch(/^cause +held_by_order$/m);
      expect(told).toMatch(
        new RegExp(`^unblocked by +That one ends: see \`fairlead why ${blocker}\`\\.$`, 'm'),
      );
      expect(told).toMatch(new RegExp(`^held by +.+, epoch ${broker.lastEpoch}$`, 'm'));
      expect(told).toMatch(/^before it +1$/m);
      expect(told).toMatch(/^accepted +\d+s ago$/m);
      expect(told).toMatch(/^deadline +in 1[45]m/m);
      expect(JSON.parse(json)).toMatchObject({ id, cause: 'held_by_order', blockedBy: blocker, position: 1 });
    });

    it('is told of a command that was given on the command line', async () => {
      const broker = await join();
      await connect(broker);
      const wishes = [
        '--not-before',
        '10m',
        '--deadline',
        '1h',
        '--contract',
        'latest_only',
        '--key',
        'a-key',
      ];

      const given = await fairlead(
        ...['dispatches', 'create', broker.name, 'broker.ping', ...wishes, '--no-wait', '--json'],
      );

      const { dispatch } = JSON.parse(given);
      expect(dispatch).toMatchObject({ state: 'pending', contract: 'latest_only', orderingKey: 'a-key' });
      const said = await why(dispatch.id);
      expect(said.cause).toBe('not_before');
      expect(factOf(said, 'not before')?.ageS).toBeLessThan(-550);
      expect(factOf(said, 'contract')?.value).toBe('latest_only');
    });
  });

  /** The hub's own sweep demotes a broker that nobody has held for a minute; the minute is what is spared here. */
  async function letGoLongAgo(broker: ScriptedBroker): Promise<void> {
    const client = new pg.Client(cluster.database.url);
    await client.connect();
    try {
      // Nor is anybody judged by replicas that began to look only now.
      await client.query(`update hub_replica set beating_since = now() - interval '1 hour'`);
      await client.query(
        `update broker_connection
         set since = now() - interval '2 minutes', released_at = now() - interval '61 seconds', silent_since = null
         where broker_id = $1`,
        [broker.id],
      );
    } finally {
      await client.end();
    }
  }

  /** Fails it in a way that may pass: then it rests for a second at least. */
  async function restingAfterAFailure(link: ScriptedLink, id: string): Promise<WhyDto> {
    const error = { code: 'no_luck', message: 'Not now.', retryable: true };
    const { attempt } = await link.nextDispatch();
    link.send({ t: 'result', results: [{ id, attempt, outcome: 'failed', error }] });
    return eventually(async () => {
      const now = await why(id);
      return Number(factOf(now, 'failures')?.value) === 1 && now;
    });
  }

  function fairlead(...args: string[]): Promise<string> {
    const env = {
      PATH: process.env.PATH,
      FAIRLEAD_URL: cluster.hub(0).url,
      FAIRLEAD_TOKEN: cluster.administratorToken,
    };
    return new Promise((resolve, reject) => {
      execFile(process.execPath, [FAIRLEAD, ...args], { env }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(stderr, { cause: error }));
      });
    });
  }
});
