import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { endRest } from '../support/end-rest.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker, type ScriptedLink } from '../support/scripted-broker.js';

const COUNTED = /^fairlead_dispatch(es_\w+_total|_)/;
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/**
 * The callers are at replica 0, where the test does not say otherwise; the broker is linked to replica 1. Replica 1
 * alone logs at the level `debug`.
 */
describe('what the replicas measure of commands', () => {
  let cluster: Cluster;
  let broker: ScriptedBroker;
  let link: ScriptedLink;

  beforeAll(async () => {
    cluster = await Cluster.start(1);
    await cluster.addReplica({ FAIRLEAD_LOG_LEVEL: 'debug' });
  }, 120_000);

  afterAll(async () => {
    await cluster.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  beforeEach(async () => {
    broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    link = await broker.connect(cluster.hub(1).url);
  });

  const ask = async (
    body: object = {},
    headers: Record<string, string> = {},
    replica = 0,
  ): Promise<string> => {
    const path = `/api/v1/brokers/${broker.id}/dispatches`;
    // Without a key it would be claimed as it is stored, and there were no claims to measure.
    const order = { op: 'broker.ping', orderingKey: randomUUID(), ...body };
    return (await cluster.api(replica).post(path, order, headers)).body.dispatch.id;
  };
  const ended = (id: string) => cluster.api(0).dispatch(id, 10);
  const succeed = async (): Promise<void> => {
    const id = await ask();
    const dispatch = await link.nextDispatch();
    link.ack(dispatch);
    link.succeed(dispatch);
    expect((await ended(id)).state).toBe('succeeded');
  };
  /** Samples of one replica by name and labels. */
  const scrape = async (replica: number): Promise<Map<string, number>> => {
    const { body } = await cluster.api(replica).get('/metrics');
    const lines = (body as string).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(lines.map((line) => [line.replace(/ \S+$/, ''), Number(/\S+$/.exec(line)?.[0])]));
  };
  /** What both replicas together tell of pings in the lane `normal`, by name. */
  const sumsOf = (samples: Map<string, number>[]) => {
    const sum = (sample: string) => samples.reduce((total, replica) => total + (replica.get(sample) ?? 0), 0);
    return {
      counted: (name: string) => sum(`fairlead_dispatches_${name}_total{op="broker.ping",lane="normal"}`),
      outcome: (outcome: string) =>
        sum(`fairlead_dispatches_ended_total{op="broker.ping",lane="normal",outcome="${outcome}"}`),
      timed: (name: string, part: 'count' | 'sum') =>
        sum(`fairlead_dispatch_${name}_${part}{op="broker.ping",lane="normal"}`),
      batched: (statement: string) => sum(`fairlead_dispatch_batch_size_sum{statement="${statement}"}`),
    };
  };
  /** Once nothing of commands changes any more: a replica counts what it has done when others may know of it already. */
  const settledSums = async () => {
    let last = '';
    return eventually(
      async () => {
        const samples = await Promise.all([scrape(0), scrape(1)]);
        const now = JSON.stringify(samples.map((all) => [...all].filter(([name]) => COUNTED.test(name))));
        const isSettled = now === last;
        last = now;
        return isSettled && sumsOf(samples);
      },
      { everyMs: 150 },
    );
  };
  /** How much what is read grows while something is done. */
  const growthOf = async (act: () => Promise<void>) => {
    const before = await settledSums();
    await act();
    const after = await settledSums();
    const grown =
      <A extends unknown[]>(pick: (of: typeof before) => (...args: A) => number) =>
      (...args: A) =>
        pick(after)(...args) - pick(before)(...args);
    return {
      counted: grown(({ counted }) => counted),
      outcome: grown(({ outcome }) => outcome),
      timed: grown(({ timed }) => timed),
      batched: grown(({ batched }) => batched),
    };
  };

  it('stands beside health, which says that the database has no synchronous standby', async () => {
    const { body } = await cluster.api(0).get('/health');

    expect(body.database).toMatchObject({
      reachable: true,
      standby: 'none',
      aboutStandby: expect.stringContaining('may lose commands'),
    });
    expect(body.status).toBe('ok');
  });

  it('takes times for rounds of claiming where the broker is linked, and nowhere else', async () => {
    await succeed();

    const rounds = async (replica: number) =>
      (await scrape(replica)).get('fairlead_reconcile_duration_seconds_count');
    expect(await rounds(0)).toBe(0);
    expect(await rounds(1)).toBeGreaterThan(0);
  });

  it('adds up to what was done, over both', async () => {
    const { counted, outcome, timed, batched } = await growthOf(async () => {
      for (let count = 0; count < 5; count += 1) await succeed();
      const retried = await ask();
      const first = await link.nextDispatch();
      link.ack(first);
      link.fail(first, { retryable: true });
      await endRest(cluster.database.url, retried);
      const second = await link.nextDispatch();
      link.ack(second);
      link.succeed(second);
      expect(await ended(retried)).toMatchObject({ state: 'succeeded', attempt: 2 });
      const given = await ask();
      const running = await link.nextDispatch();
      link.ack(running);
      await cluster.api(0).post(`/api/v1/dispatches/${given}/cancel`);
      link.cancelled(await link.nextCancel());
      expect((await ended(given)).state).toBe('cancelled');
    });

    expect(counted('accepted')).toBe(7);
    expect(counted('claimed')).toBe(8);
    expect(counted('acked')).toBe(8);
    expect(counted('retried')).toBe(1);
    expect(counted('cancel_asked')).toBe(1);
    expect(counted('put_back')).toBe(0);
    expect([outcome('succeeded'), outcome('cancelled'), outcome('failed')]).toEqual([6, 1, 0]);
    expect(timed('accept_to_claim_seconds', 'count')).toBe(7);
    expect(timed('claim_to_ack_seconds', 'count')).toBe(8);
    expect(timed('claim_to_end_seconds', 'count')).toBe(7);
    expect(timed('accept_to_end_seconds', 'count')).toBe(7);
    expect([timed('attempts', 'count'), timed('attempts', 'sum')]).toEqual([7, 8]);
    expect(batched('insert')).toBe(7);
    expect(batched('claim')).toBe(8);
    expect(batched('settle')).toBe(8);
  });

  it('has each time no longer than the one that it is part of', async () => {
    const { timed } = await growthOf(succeed);

    const [toClaim, toAck, toEnd, whole] = [
      timed('accept_to_claim_seconds', 'sum'),
      timed('claim_to_ack_seconds', 'sum'),
      timed('claim_to_end_seconds', 'sum'),
      timed('accept_to_end_seconds', 'sum'),
    ];
    for (const seconds of [toClaim, toAck, toEnd]) expect(seconds).toBeGreaterThan(0);
    expect(toClaim + toEnd).toBeCloseTo(whole, 5);
    expect(whole).toBeLessThan(10);
  });

  it('counts what an inventory puts back, what it finds to go on, and what comes after the end', async () => {
    const { counted } = await growthOf(async () => {
      const ids = [await ask(), await ask()];
      const [lost, held] = [await link.nextDispatch(), await link.nextDispatch()];
      link.ack(held);
      await eventually(async () => (await cluster.api(0).dispatch(held.id)).state === 'running');
      link.cut();
      link = await broker.connect(cluster.hub(1).url, [{ id: held.id, attempt: 1, status: 'running' }]);
      link.succeed(held);
      const again = await link.nextDispatch();
      expect(again).toMatchObject({ id: lost.id, attempt: 2 });
      link.succeed(again);
      for (const id of ids) expect((await ended(id)).state).toBe('succeeded');
      link.fail(held);
      await eventually(async () =>
        (await cluster.api(0).trail(held.id)).some(({ state }) => state === 'late_result'),
      );
    });

    expect(counted('put_back')).toBe(1);
    expect(counted('released')).toBe(2);
    expect(counted('adopted')).toBe(1);
    expect(counted('late_results')).toBe(1);
    expect(counted('claimed')).toBe(3);
  });

  it('tells how many commands wait in the whole hub, and of what age, alike on each', async () => {
    link.cut();
    const id = await ask();
    await eventually(
      async () => ((await scrape(0)).get('fairlead_dispatches_oldest_seconds{state="pending"}') ?? 0) > 0,
    );

    const [here, there] = await Promise.all([scrape(0), scrape(1)]);

    for (const replica of [here, there]) {
      expect(replica.get('fairlead_dispatches_live{state="pending"}')).toBe(1);
      expect(replica.get('fairlead_dispatches_live{state="running"}')).toBe(0);
      expect(replica.get('fairlead_dispatches_stuck{state="pending"}')).toBe(0);
    }
    await cluster.api(0).post(`/api/v1/dispatches/${id}/cancel`);
  });

  it('tells how many wait in a project, and of what age, alike on each, and nothing of one without any', async () => {
    const post = (path: string, body: object) => cluster.api(0).post(`/api/v1/${path}`, body);
    await post('projects', { name: 'web' });
    await post('projects/web/attachments', { broker: broker.id });
    const notBefore = new Date(Date.now() + 600_000).toISOString();
    const order = { op: 'broker.ping', project: 'web', notBefore };
    const { body } = await post(`brokers/${broker.id}/dispatches`, order);
    const [pending, oldest] = ['dispatches_pending', 'oldest_pending_seconds'].map(
      (name) => `fairlead_project_${name}{project="web"}`,
    ) as [string, string];

    const replicas = await Promise.all([scrape(0), scrape(1)]);
    await cluster.api(0).post(`/api/v1/dispatches/${body.dispatch.id}/cancel`);

    for (const replica of replicas) {
      expect(replica.get(pending)).toBe(1);
      expect(replica.get(oldest)).toBeGreaterThan(0);
    }
    expect((await scrape(0)).has(pending)).toBe(false);
  });

  it('tells which are out for over 5 min, while their broker is connected', async () => {
    const id = await ask();
    const dispatch = await link.nextDispatch();
    const sql = new pg.Client(cluster.database.url);
    await sql.connect();
    await sql.query(
      `update broker_dispatch
       set created_at = now() - interval '1 hour', claimed_at = now() - interval '301 seconds' where id = $1`,
      [id],
    );
    await sql.end();
    const stuck = async () => (await scrape(0)).get('fairlead_dispatches_stuck{state="claimed"}');

    expect(await stuck()).toBe(1);
    expect((await scrape(0)).get('fairlead_dispatches_oldest_seconds{state="claimed"}')).toBeGreaterThan(
      3_500,
    );

    link.cut();
    await eventually(async () => (await stuck()) === 0);
    link = await broker.connect(cluster.hub(1).url, [{ id, attempt: 1, status: 'running' }]);
    link.succeed(dispatch);
    expect((await ended(id)).state).toBe('succeeded');
  });

  it('counts the canaries and the LISTENs of each', async () => {
    const isHeard = async (replica: number) =>
      ((await scrape(replica)).get('fairlead_canary_delay_seconds_count') ?? 0) > 0;
    await eventually(async () => (await isHeard(0)) && (await isHeard(1)));

    for (const replica of [0, 1]) {
      expect((await scrape(replica)).get('fairlead_listener_reconnects_total')).toBeGreaterThanOrEqual(1);
    }
  });

  describe('of one command, to who looks closely', () => {
    const linesOf = (replica: number, id: string) =>
      cluster.hub(replica).lines.filter(({ dispatchId }) => dispatchId === id);

    const done = async (replica: number): Promise<string> => {
      const id = await ask({}, {}, replica);
      const dispatch = await link.nextDispatch();
      link.ack(dispatch);
      link.succeed(dispatch);
      await ended(id);
      return id;
    };

    it('is a line at each boundary, where the level of the log is debug', async () => {
      const id = await done(1);

      await eventually(() => linesOf(1, id).some(({ msg }) => msg === 'ended'));
      expect(linesOf(1, id).map(({ msg }) => msg)).toEqual(['accepted', 'sent', 'acked', 'ended']);
    });

    it('is a line where its link ends, and where it goes on over the next one', async () => {
      const id = await ask();
      const dispatch = await link.nextDispatch();
      link.ack(dispatch);
      await eventually(async () => (await cluster.api(0).dispatch(id)).state === 'running');
      link.cut();
      link = await broker.connect(cluster.hub(1).url, [{ id, attempt: 1, status: 'running' }]);
      link.succeed(dispatch);

      await eventually(() => linesOf(1, id).some(({ msg }) => msg === 'ended'));
      expect(linesOf(1, id).map(({ msg }) => msg)).toEqual(['sent', 'acked', 'released', 'adopted', 'ended']);
    });

    it('is no line where it is not', async () => {
      const id = await done(0);

      await eventually(() => linesOf(1, id).some(({ msg }) => msg === 'ended'));
      expect(linesOf(0, id)).toEqual([]);
    });

    it('is the trace of its request, which goes with it to its broker', async () => {
      const id = await ask({}, { traceparent: TRACEPARENT });

      const dispatch = await link.nextDispatch();

      expect(dispatch).toMatchObject({ id, traceparent: TRACEPARENT });
      await eventually(() => linesOf(1, id).some(({ traceparent }) => traceparent === TRACEPARENT));
      link.succeed(dispatch);
    });

    it('is no trace where its request had none that is one', async () => {
      await ask({}, { traceparent: TRACEPARENT.replace(/^00/, 'ff') });

      const dispatch = await link.nextDispatch();

      expect(dispatch).not.toHaveProperty('traceparent');
      link.succeed(dispatch);
    });
  });
});
