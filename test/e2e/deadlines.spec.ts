import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { plantPings } from '../support/dispatch-rows.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

/** A busy machine sends what it is asked within this long. */
const SENT_BY_S = 3;

/** The callers are at replica 0; the broker is linked to replica 1. */
describe('a command at its deadline', () => {
  let cluster: Cluster;
  let sql: pg.Client;
  let broker: ScriptedBroker;

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
  });

  const connect = () => broker.connect(cluster.hub(1).url);
  const ask = (body: object = {}, waitS = 0) =>
    cluster
      .api(0)
      .post(
        `/api/v1/brokers/${broker.id}/dispatches`,
        { op: 'broker.ping', ...body },
        waitS > 0 ? { prefer: `wait=${waitS}` } : {},
      );
  const asked = async (body: object = {}): Promise<string> => (await ask(body)).body.dispatch.id;
  const read = (id: string, waitS = 0) => cluster.api(0).dispatch(id, waitS);
  const trail = (id: string) => cluster.api(0).trail(id);

  it('that was not sent ends as expired without effect, is never sent, and its caller is told at once', async () => {
    const { status, body } = await ask({ deadlineS: 1 }, 30);

    expect(status).toBe(200);
    expect(body.dispatch).toMatchObject({
      state: 'expired',
      attempt: 0,
      cancel: null,
      error: { code: 'deadline_passed', retryable: false, data: { effect: 'none' } },
    });
    const { createdAt, deadlineAt, endedAt } = body.dispatch;
    expect(Date.parse(deadlineAt) - Date.parse(createdAt)).toBeCloseTo(1_000, -2);
    // By the database's clock, so that a slow test machine does not count.
    expect(Date.parse(endedAt) - Date.parse(deadlineAt)).toBeGreaterThanOrEqual(0);
    expect(Date.parse(endedAt) - Date.parse(deadlineAt)).toBeLessThan(5_000);
    const link = await connect();
    const next = await asked();
    expect((await link.nextDispatch()).id).toBe(next);
    await link.close();
  });

  it('that passed days ago, while nobody swept, ends as expired all the same', async () => {
    const sql = new pg.Client(cluster.database.url);
    await sql.connect();
    const [id] = await plantPings(sql, [{ brokerId: broker.id, deadlineS: -3 * 86_400 }]);
    await sql.end();

    // A replica looks at all deadlines when it starts, and once in five minutes.
    const replica = await cluster.addReplica();

    await eventually(async () => (await read(id!)).state === 'expired', { withinMs: 10_000 });
    expect((await trail(id!)).at(-1)).toMatchObject({ state: 'expired', reason: 'deadline_passed' });
    await replica.stop();
  });

  it('that waits for one of its key ends as expired, and those behind it go on', async () => {
    const link = await connect();
    await asked();
    const first = await link.nextDispatch();
    const overdue = await asked({ deadlineS: 1 });
    const behind = await asked();

    expect(await read(overdue, 20)).toMatchObject({ state: 'expired', error: { data: { effect: 'none' } } });

    link.succeed(first);
    expect((await link.nextDispatch()).id).toBe(behind);
    await link.close();
  });

  it('that rested after a failure does not claim to have had no effect', async () => {
    const link = await connect();
    const id = await asked({ deadlineS: SENT_BY_S });
    link.fail(await link.nextDispatch(), { retryable: true });
    await eventually(async () => (await read(id)).failures === 1);
    link.cut();

    const { state, failures, error } = await eventually(
      async () => {
        // Where it went out again before the cut, the next link's inventory puts it back.
        await broker.connect(cluster.hub(1).url).then((next) => next.cut());
        const dispatch = await read(id);
        return dispatch.state === 'expired' && dispatch;
      },
      { withinMs: 20_000, everyMs: 500 },
    );

    expect([state, failures]).toEqual(['expired', 1]);
    expect(error).toMatchObject({ code: 'deadline_passed', data: { effect: 'unknown' } });
  });

  it('that passed while its broker was away with it ends with the next inventory, and lets go of its key', async () => {
    const link = await connect();
    const first = ask({ deadlineS: SENT_BY_S, orderingKey: 'held' }, 60);
    const { id } = await link.nextDispatch();
    const behind = await asked({ orderingKey: 'held' });
    link.cut();
    // Past what a sweep looks back for, and long before it is given up without the broker's word.
    await sql.query(`update broker_dispatch set deadline_at = now() - interval '12 s' where id = $1`, [id]);

    const next = await connect();

    expect((await next.nextDispatch()).id).toBe(behind);
    const { status, body } = await first;
    expect([status, body.dispatch]).toMatchObject([
      200,
      { id, state: 'expired', error: { code: 'deadline_passed', data: { effect: 'none' } } },
    ]);
    await next.close();
  });

  describe('that was sent', () => {
    it('is asked for at the broker, and is expired once the broker says that it stopped it', async () => {
      const link = await connect();
      const waiting = ask({ deadlineS: SENT_BY_S }, 30);
      const dispatch = await link.nextDispatch();
      link.ack(dispatch);

      const wish = await link.nextCancel();
      expect(wish).toEqual({ id: dispatch.id, attempt: 1 });
      const overdue = await read(dispatch.id);
      expect([overdue.state, overdue.cancel]).toEqual(['running', null]);
      expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(overdue.deadlineAt));
      link.cancelled(wish);

      const { status, body } = await waiting;
      expect(status).toBe(200);
      expect(body.dispatch).toMatchObject({
        state: 'expired',
        error: { code: 'deadline_passed', retryable: false, data: { effect: 'stopped' } },
      });
      expect((await link.next('confirm')).ids).toEqual([dispatch.id]);
      link.cancelled(wish);
      expect((await link.next('confirm')).ids).toEqual([dispatch.id]);
      expect((await trail(dispatch.id)).map(({ state }) => state)).toEqual([
        'pending',
        'claimed',
        'running',
        'expired',
      ]);
      await link.close();
    });

    it('keeps its own end where the broker finished it all the same', async () => {
      const link = await connect();
      const id = await asked({ deadlineS: SENT_BY_S });
      const dispatch = await link.nextDispatch();
      await link.nextCancel();

      link.succeed(dispatch, { time: 'now' });

      expect(await read(id, 10)).toMatchObject({ state: 'succeeded', result: { time: 'now' }, cancel: null });
      await link.close();
    });

    it('and failed in a way that may pass, is not tried again', async () => {
      const link = await connect();
      const id = await asked({ deadlineS: SENT_BY_S });
      const dispatch = await link.nextDispatch();
      await link.nextCancel();

      link.fail(dispatch, { retryable: true });

      expect((await link.next('confirm')).ids).toEqual([id]);
      expect(await read(id)).toMatchObject({ state: 'failed', attempt: 1, error: { code: 'no_room' } });
      await link.close();
    });

    it('and of which no word came for 30 s, is expired with an unknown effect, its caller and all', async () => {
      const link = await connect();
      const waiting = ask({ deadlineS: 2, orderingKey: 'one' }, 60);
      const [silent] = [await link.nextDispatch()];
      const id = await asked({ deadlineS: 2, orderingKey: 'two' });
      const givenUp = await link.nextDispatch();
      for (const dispatch of [silent, givenUp]) link.ack(dispatch);
      await cluster.api(0).post(`/api/v1/dispatches/${id}/cancel`);

      // Each is asked for again, in vain; then most of the 30 s pass at once.
      await eventually(() => link.count('cancel') > 3, { withinMs: 20_000 });
      await sql.query(
        `update broker_dispatch set deadline_at = deadline_at - interval '24 s' where id = any ($1::uuid[])`,
        [[silent.id, id]],
      );
      const { status, body } = await waiting;

      expect(status).toBe(200);
      const { error, deadlineAt, endedAt } = body.dispatch;
      expect(body.dispatch).toMatchObject({ state: 'expired', cancel: null });
      expect(error).toMatchObject({ code: 'deadline_passed', data: { effect: 'unknown' } });
      const lateMs = Date.parse(endedAt) - Date.parse(deadlineAt);
      expect(lateMs).toBeGreaterThanOrEqual(30_000);
      expect(lateMs).toBeLessThan(35_000);
      expect(await read(id, 10)).toMatchObject({
        state: 'expired',
        error: { data: { effect: 'unknown' } },
        cancel: { outcome: 'unknown' },
      });
      // What comes after the end is kept in the trail, and changes nothing.
      link.succeed(silent, { time: 'late' });
      expect((await link.next('confirm')).ids).toEqual([silent.id]);
      expect(await read(silent.id)).toMatchObject({ state: 'expired', result: null });
      expect((await trail(silent.id)).at(-1)).toMatchObject({ state: 'late_result', reason: 'succeeded' });
      await link.close();
    });
  });
});
