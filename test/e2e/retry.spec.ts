import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { endRest } from '../support/end-rest.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

type Step = { state: string; at: string; attempt?: number; reason?: string };

/** The callers are at replica 0; the broker is linked to replica 1, where the test does not say otherwise. */
describe('a command that failed in a way that may pass', () => {
  let cluster: Cluster;
  let broker: ScriptedBroker;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
  });

  afterAll(async () => {
    await cluster.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  beforeEach(async () => {
    broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
  });

  const connect = (
    index = 1,
    ...given: Parameters<ScriptedBroker['connect']> extends [string, ...infer R] ? R : []
  ) => broker.connect(cluster.hub(index).url, ...given);
  const asked = async (body: { orderingKey?: string | null } = {}): Promise<string> =>
    (await cluster.api(0).ping(broker.id, body)).body.dispatch.id;
  const read = (id: string, waitS = 0) => cluster.api(0).dispatch(id, waitS);
  const trail = async (id: string) => (await cluster.api(0).trail(id)) as Step[];
  const failures = (id: string, count: number) => eventually(async () => (await read(id)).failures === count);
  const query = async (sql: string, id: string) => {
    const client = new pg.Client(cluster.database.url);
    await client.connect();
    try {
      return (await client.query<Record<string, any>>(sql, [id])).rows[0];
    } finally {
      await client.end();
    }
  };

  it('is sent again under a new attempt, and its caller gets the end and not the failure', async () => {
    const link = await connect();
    const waiting = cluster.api(0).ping(broker.id, { waitS: 20 });
    const first = await link.nextDispatch();
    link.ack(first);

    link.fail(first, { code: 'no_room', retryable: true });
    await endRest(cluster.database.url, first.id);
    const second = await link.nextDispatch();
    expect(second).toMatchObject({ id: first.id, op: first.op, args: first.args, attempt: 2 });
    expect(link.count('confirm')).toBe(0);
    link.succeed(second, { time: 'now' });

    const { status, body } = await waiting;
    expect(status).toBe(200);
    expect(body.dispatch).toMatchObject({
      state: 'succeeded',
      attempt: 2,
      failures: 1,
      result: { time: 'now' },
      error: null,
    });
    expect((await link.next('confirm')).ids).toEqual([first.id]);
    const steps = (await trail(first.id)).filter(({ state }) => state !== 'running');
    expect(steps.map(({ state, attempt }) => [state, attempt])).toEqual([
      ['pending', undefined],
      ['claimed', 1],
      ['pending', 1],
      ['claimed', 2],
      ['succeeded', 2],
    ]);
    expect(steps[2]?.reason).toBe('no_room');
    await link.close();
  });

  it('is not sent before its rest is over, and is dead after five failures: the counter that is read is also incremented', async () => {
    const link = await connect();
    const id = await asked();
    for (const attempt of [1, 2, 3, 4]) {
      const dispatch = await link.nextDispatch(15_000);
      expect(dispatch).toMatchObject({ id, attempt });
      link.fail(dispatch, { code: `failed_${attempt}`, retryable: true });
      await failures(id, attempt);
      const { retry_at: retryAt } =
        (await query('select retry_at::text from broker_dispatch where id = $1', id)) ?? {};
      // The first rest is waited for, and of the others the end is brought forward.
      if (attempt > 1) await endRest(cluster.database.url, id);
      const sentAgain = await eventually(
        async () =>
          (await trail(id)).find((step) => step.state === 'claimed' && step.attempt === attempt + 1),
        { withinMs: 15_000 },
      );
      if (attempt === 1) expect(Date.parse(sentAgain.at)).toBeGreaterThanOrEqual(Date.parse(retryAt));
    }
    const last = await link.nextDispatch();
    expect([last.attempt, link.count('confirm')]).toEqual([5, 0]);

    link.fail(last, { code: 'failed_5', retryable: true });

    expect((await link.next('confirm')).ids).toEqual([id]);
    expect(await read(id)).toMatchObject({
      state: 'dead',
      attempt: 5,
      failures: 5,
      error: { code: 'failed_5', retryable: true },
    });
    expect((await trail(id)).at(-1)).toMatchObject({ state: 'dead', attempt: 5, reason: 'failed_5' });
    // Told again, it is the same end and no late one; and the key is free.
    link.fail(last, { code: 'failed_5', retryable: true });
    expect((await link.next('confirm')).ids).toEqual([id]);
    expect((await trail(id)).at(-1)).toMatchObject({ state: 'dead' });
    const next = await asked();
    expect((await link.nextDispatch()).id).toBe(next);
    await link.close();
  });

  it.each([
    [1, 5],
    [2, 25],
    [3, 125],
    [4, 300],
  ])(
    'rests after failure %i for as long as chance says, from 1 s to %i s',
    async (failure, mostS) => {
      const link = await connect(1, [], { window: 256 });
      const count = 100;
      await query(
        `insert into broker_dispatch
         (id, broker_id, op, args, lane, state, failures, deadline_at, origin_replica, initiator, trail)
       select gen_random_uuid(), $1, 'broker.ping', '{}', 'normal', 'pending', ${failure - 1},
              now() + interval '1 hour', gen_random_uuid(), '{}', '{}'
       from generate_series(1, ${count})`,
        broker.id,
      );
      const waking = await asked({ orderingKey: null });
      for (let seen = 0; seen <= count; seen += 1) {
        const dispatch = await link.nextDispatch();
        if (dispatch.id === waking) link.succeed(dispatch);
        else link.fail(dispatch, { retryable: true });
      }
      const rests = () =>
        query(
          `select count(*)::integer, min(rest), max(rest), avg(rest)
         from (
           select extract(epoch from retry_at - (trail[cardinality(trail)]::jsonb ->> 'at')::timestamptz)::double precision as rest
           from broker_dispatch where broker_id = $1 and failures = ${failure} and state = 'pending'
         ) resting`,
          broker.id,
        );

      const { min, max, avg } = await eventually(async () => {
        const seen = await rests();
        return seen?.count === count && seen;
      });

      expect(min).toBeGreaterThanOrEqual(0.99);
      expect(max).toBeLessThanOrEqual(mostS + 0.01);
      // A hundred draws: what follows fails by chance in fewer than one run in a million.
      expect(min).toBeLessThan(1 + 0.15 * (mostS - 1));
      expect(max).toBeGreaterThan(1 + 0.85 * (mostS - 1));
      expect(Math.abs(avg - (mostS + 1) / 2)).toBeLessThan(0.15 * mostS);
      await link.close();
    },
    30_000,
  );

  it('holds up the later ones of its key while it rests, and no others', async () => {
    const first = await connect();
    const id = await asked({ orderingKey: 'its own' });
    first.fail(await first.nextDispatch(), { retryable: true });
    await failures(id, 1);
    first.cut();
    // It rests for an hour now. If it went out again meanwhile, the next inventory puts it back.
    await query("update broker_dispatch set retry_at = now() + interval '1 hour' where id = $1", id);
    const link = await connect();
    const behind = await asked({ orderingKey: 'its own' });
    const [beside, free] = [await asked({ orderingKey: 'another' }), await asked({ orderingKey: null })];

    const others = [await link.nextDispatch(), await link.nextDispatch()];
    for (const dispatch of others) {
      link.succeed(dispatch);
      expect(await read(dispatch.id, 10)).toMatchObject({ state: 'succeeded' });
    }
    expect(others.map((dispatch) => dispatch.id)).toEqual([beside, free]);
    expect(link.count('dispatch')).toBe(0);
    expect(await read(behind)).toMatchObject({ state: 'pending', attempt: 0 });

    await link.close();
    await query('update broker_dispatch set retry_at = now() where id = $1', id);
    const next = await connect();
    const again = await next.nextDispatch();
    expect(again.id).toBe(id);
    next.succeed(again);
    expect((await next.nextDispatch()).id).toBe(behind);
    await next.close();
  });

  it('is changed by no result of the earlier attempt that is told again', async () => {
    const link = await connect();
    const id = await asked();
    const first = await link.nextDispatch();
    link.fail(first, { retryable: true });
    await endRest(cluster.database.url, id);
    const second = await link.nextDispatch();
    link.ack(second);
    await eventually(async () => (await read(id)).state === 'running');

    link.fail(first, { retryable: true });
    link.fail(first);
    link.succeed(first, { time: 'earlier' });
    link.cancelled(first);
    // Results of one link are settled in order: by the end of this one, those before it were judged.
    const other = await asked({ orderingKey: null });
    link.succeed(await link.nextDispatch());

    expect((await link.next('confirm')).ids).toEqual([other]);
    expect(await read(id)).toMatchObject({ state: 'running', attempt: 2, failures: 1 });
    link.succeed(second, { time: 'now' });
    expect((await link.next('confirm')).ids).toEqual([id]);
    expect(await read(id)).toMatchObject({ state: 'succeeded', failures: 1, result: { time: 'now' } });
    await link.close();
  });

  it('goes out again where its broker is by then, at another replica', async () => {
    const first = await connect(1);
    const id = await asked();
    const dispatch = await first.nextDispatch();
    first.fail(dispatch, { retryable: true });
    await failures(id, 1);

    const link = await connect(0, [{ id, attempt: 1, status: 'ended' }]);
    await endRest(cluster.database.url, id, 1);
    const again = await link.nextDispatch();

    expect(again.id).toBe(id);
    expect(again.attempt).toBeGreaterThanOrEqual(2);
    expect(link.count('confirm')).toBe(0);
    link.succeed(again);
    expect(await read(id, 10)).toMatchObject({ state: 'succeeded', failures: 1 });
    expect((await link.next('confirm')).ids).toEqual([id]);
    await link.close();
  });

  it('goes out again also where the failure came over the old link, when the new one was open', async () => {
    const first = await connect(1);
    const id = await asked();
    const dispatch = await first.nextDispatch();
    first.ack(dispatch);
    await eventually(async () => (await read(id)).state === 'running');

    const link = await connect(0, [{ id, attempt: 1, status: 'running' }]);
    // Whether the old link still takes it is for the hub to say; the broker tells it on both.
    first.fail(dispatch, { retryable: true });
    link.fail(dispatch, { retryable: true });
    await endRest(cluster.database.url, id);
    const again = await link.nextDispatch();

    expect(again).toMatchObject({ id, attempt: 2 });
    link.succeed(again);
    expect(await read(id, 10)).toMatchObject({ state: 'succeeded', attempt: 2, failures: 1 });
    await link.close();
  });

  it('outlives its owner while it rests', async () => {
    const owner = await cluster.addReplica();
    const first = await broker.connect(owner.url);
    const id = await asked();
    first.fail(await first.nextDispatch(), { retryable: true });
    await failures(id, 1);

    await owner.kill();
    const link = await connect(0, [{ id, attempt: 1, status: 'ended' }]);
    await endRest(cluster.database.url, id);
    const again = await link.nextDispatch();
    link.succeed(again);

    expect(again.id).toBe(id);
    expect(await read(id, 10)).toMatchObject({ state: 'succeeded', failures: 1 });
    await link.close();
  });
});
