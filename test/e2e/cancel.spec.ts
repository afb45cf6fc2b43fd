import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import type { InventoryEntry } from '../../src/protocol/frame.js';
import { Cluster } from '../support/cluster.js';
import { endRest } from '../support/end-rest.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker, type ScriptedLink } from '../support/scripted-broker.js';

/** The callers are at replica 0; the broker is linked to replica 1, where the test does not say otherwise. */
describe('a command that its caller gives up', () => {
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
  const cancel = (id: string, waitS = 0) =>
    cluster
      .api(0)
      .post(`/api/v1/dispatches/${id}/cancel`, undefined, waitS > 0 ? { prefer: `wait=${waitS}` } : {});
  const read = (id: string, waitS = 0) => cluster.api(0).dispatch(id, waitS);
  const running = (id: string) => eventually(async () => (await read(id)).state === 'running');
  const states = async (id: string) => (await cluster.api(0).trail(id)).map(({ state }) => state);
  const reasonOfEnd = async (id: string) => (await cluster.api(0).trail(id)).at(-1)?.reason;
  /** The next command of the same key is what comes next on the link: the one before it was not sent again. */
  const expectNextSent = async (link: ScriptedLink) => {
    const id = await asked();
    const next = await link.nextDispatch();
    expect(next.id).toBe(id);
    link.succeed(next);
    expect(await read(id, 10)).toMatchObject({ state: 'succeeded', attempt: 1 });
  };

  describe('before it was sent', () => {
    it('ends at once, also while its broker is away, and is never sent', async () => {
      const id = await asked();

      const { status, body } = await cancel(id);

      expect(status).toBe(200);
      expect(body.dispatch).toMatchObject({
        state: 'cancelled',
        attempt: 0,
        cancel: { outcome: 'never_sent' },
        error: null,
      });
      expect(await states(id)).toEqual(['pending', 'cancelled']);
      expect(await reasonOfEnd(id)).toBe('never_sent');
      const link = await connect();
      await expectNextSent(link);
      expect(link.count('cancel')).toBe(0);
      await link.close();
    });

    it('ends at once behind one of its key that is out, and whoever waits for it is told', async () => {
      const link = await connect();
      const first = await asked();
      const dispatch = await link.nextDispatch();
      const waiting = ask({}, 20);
      const second = await eventually(async () => {
        const { body } = await cluster.api(0).get(`/api/v1/dispatches?broker=${broker.id}&state=pending`);
        return body.items[0]?.id as string | undefined;
      });

      expect((await cancel(second)).body.dispatch).toMatchObject({
        state: 'cancelled',
        cancel: { outcome: 'never_sent' },
      });

      const { status, body } = await waiting;
      expect([status, body.dispatch.id, body.dispatch.state]).toEqual([200, second, 'cancelled']);
      link.succeed(dispatch);
      expect((await read(first, 10)).state).toBe('succeeded');
      await expectNextSent(link);
      await link.close();
    });

    it('lets go of its key at once where it rested after a failure', async () => {
      const first = await connect();
      const id = await asked();
      first.fail(await first.nextDispatch(), { retryable: true });
      await eventually(async () => (await read(id)).failures === 1);
      first.cut();
      await stretchRest(id);
      // If it went out again meanwhile, this puts it back.
      const link = await connect();
      const behind = await asked();
      const beside = await asked({ orderingKey: 'another' });
      expect((await link.nextDispatch()).id).toBe(beside);
      expect(link.count('dispatch')).toBe(0);

      expect((await cancel(id)).body.dispatch).toMatchObject({
        state: 'cancelled',
        failures: 1,
        cancel: { outcome: 'stopped' },
      });

      const next = await link.nextDispatch(3_000);
      expect(next.id).toBe(behind);
      await link.close();
    });
  });

  describe('after it was sent', () => {
    for (const stage of ['claimed', 'running'] as const) {
      it(`is asked for at the broker, over its link at another replica, within 2 s, while ${stage}`, async () => {
        const link = await connect();
        const id = await asked();
        const dispatch = await link.nextDispatch();
        if (stage === 'running') {
          link.ack(dispatch);
          await running(id);
        }

        const { status, body } = await cancel(id);
        const wish = await link.nextCancel(2_000);

        expect(status).toBe(202);
        expect(body.dispatch).toMatchObject({ state: stage, cancel: { outcome: 'cancelling' } });
        expect(wish).toEqual({ id, attempt: 1 });
        link.cancelled(wish);
        expect((await link.next('confirm')).ids).toEqual([id]);
        expect(await read(id)).toMatchObject({ state: 'cancelled', cancel: { outcome: 'stopped' } });
        expect(await states(id)).toEqual(
          ['pending', 'claimed', 'running', 'cancel_requested', 'cancelled'].filter(
            (state) => stage === 'running' || state !== 'running',
          ),
        );
        await expectNextSent(link);
        await link.close();
      });
    }

    it('tells its end to whoever waits for it, and to whoever waits for the cancel', async () => {
      const link = await connect();
      const waiting = ask({}, 20);
      const dispatch = await link.nextDispatch();
      const cancelling = cancel(dispatch.id, 20);
      link.cancelled(await link.nextCancel());

      for (const { status, body } of await Promise.all([waiting, cancelling])) {
        expect(status).toBe(200);
        expect(body.dispatch).toMatchObject({ state: 'cancelled', cancel: { outcome: 'stopped' } });
      }
      await link.close();
    });

    it('and came to its end all the same, keeps that end with its result: it was too late', async () => {
      const link = await connect();
      const id = await asked();
      const dispatch = await link.nextDispatch();
      await cancel(id);
      await link.nextCancel();

      link.succeed(dispatch, { time: 'now' });

      expect(await read(id, 10)).toMatchObject({
        state: 'succeeded',
        result: { time: 'now' },
        cancel: { outcome: 'too_late' },
      });
      await link.close();
    });

    it('and failed in a way that may pass, is not tried again', async () => {
      const link = await connect();
      const id = await asked();
      const dispatch = await link.nextDispatch();
      await cancel(id);
      await link.nextCancel();

      link.fail(dispatch, { retryable: true });

      expect((await link.next('confirm')).ids).toEqual([id]);
      expect(await read(id)).toMatchObject({ state: 'failed', attempt: 1, cancel: { outcome: 'too_late' } });
      await expectNextSent(link);
      await link.close();
    });

    it('and given up twice, is the same: one mark, one wish, one end', async () => {
      const link = await connect();
      const id = await asked();
      await link.nextDispatch();
      const first = await cancel(id);
      const wish = await link.nextCancel();

      const second = await cancel(id);

      expect(second.status).toBe(202);
      expect(second.body.dispatch.cancel).toEqual(first.body.dispatch.cancel);
      link.cancelled(wish);
      await link.next('confirm');
      expect(link.count('cancel')).toBe(0);
      expect((await states(id)).filter((state) => state === 'cancel_requested')).toHaveLength(1);
      await link.close();
    });

    it('is asked for again after 5 s without an answer', async () => {
      const link = await connect();
      const id = await asked();
      link.ack(await link.nextDispatch());
      await running(id);
      // Before it was asked for first: when that comes in here depends on this machine.
      const askedAt = performance.now();
      await cancel(id);
      await link.nextCancel();

      const again = await link.nextCancel(15_000);

      expect(again).toEqual({ id, attempt: 1 });
      expect(performance.now() - askedAt).toBeGreaterThan(4_500);
      link.cancelled(again);
      expect(await read(id, 10)).toMatchObject({ state: 'cancelled' });
      await link.close();
    });

    it('is asked for again on the next link after its owner was killed', async () => {
      const owner = await cluster.addReplica();
      const first = await broker.connect(owner.url);
      const id = await asked();
      const dispatch = await first.nextDispatch();
      first.ack(dispatch);
      await running(id);
      await cancel(id);
      await first.nextCancel();

      await owner.kill();
      const link = await broker.connect(cluster.hub(0).url, [{ id, attempt: 1, status: 'running' }]);
      const again = await link.nextCancel(4_000);

      expect(again).toEqual({ id, attempt: 1 });
      expect(await read(id)).toMatchObject({ state: 'running', cancel: { outcome: 'cancelling' } });
      link.cancelled(again);
      expect(await read(id, 10)).toMatchObject({ state: 'cancelled', cancel: { outcome: 'stopped' } });
      expect(link.count('dispatch')).toBe(0);
      await link.close();
    });

    it('and whose frame was never begun, ends as cancelled on the next link, and is not sent again', async () => {
      const first = await connect();
      const id = await asked();
      await first.nextDispatch();
      first.cut();
      await first.closed;
      expect((await cancel(id)).body.dispatch).toMatchObject({ cancel: { outcome: 'cancelling' } });

      const link = await connect();

      expect(await read(id)).toMatchObject({
        state: 'cancelled',
        attempt: 1,
        cancel: { outcome: 'stopped' },
      });
      await expectNextSent(link);
      expect(link.count('cancel')).toBe(0);
      await link.close();
    });

    it('and that the journal knows by an earlier attempt, is asked for, and not sent again', async () => {
      const first = await connect();
      const id = await asked();
      first.fail(await first.nextDispatch(), { retryable: true });
      await endRest(cluster.database.url, id);
      expect(await first.nextDispatch()).toMatchObject({ id, attempt: 2 });
      first.cut();
      await first.closed;
      await cancel(id);

      const link = await broker.connect(cluster.hub(1).url, [{ id, attempt: 1, status: 'ended' }]);

      const wish = await link.nextCancel();
      expect(wish).toEqual({ id, attempt: 2 });
      link.cancelled(wish);
      expect(await read(id, 10)).toMatchObject({ state: 'cancelled', cancel: { outcome: 'stopped' } });
      expect(link.count('dispatch')).toBe(0);
      await expectNextSent(link);
      await link.close();
    });
  });

  describe('and that is none of the live ones of its broker, which still has it', () => {
    const runs = (id: string, attempt = 1) => ({ id, attempt, status: 'running' as const });
    const again = (inventory: InventoryEntry[]) => broker.connect(cluster.hub(1).url, inventory);

    it('is stopped where it has ended, under the attempt that runs, and its answer is confirmed', async () => {
      const first = await connect();
      const id = await asked();
      first.succeed(await first.nextDispatch(), { time: 'now' });
      await first.next('confirm');
      await first.close();

      const link = await again([runs(id, 4)]);

      const wish = await link.nextCancel();
      expect(wish).toEqual({ id, attempt: 4 });
      link.cancelled(wish);
      expect((await link.next('confirm')).ids).toEqual([id]);
      expect(await read(id)).toMatchObject({ state: 'succeeded', attempt: 1, result: { time: 'now' } });
      await expectNextSent(link);
      await link.close();
    });

    it('is stopped where it was never known, and confirmed where it has ended or was lost', async () => {
      const [begun, ended, lost] = [uuidv7(), uuidv7(), uuidv7()];

      const link = await again([
        runs(begun),
        { id: ended, attempt: 1, status: 'ended' },
        { id: lost, attempt: 1, status: 'lost' },
      ]);

      const wish = await link.nextCancel();
      expect(wish).toEqual({ id: begun, attempt: 1 });
      expect((await link.next('confirm')).ids.sort()).toEqual([ended, lost].sort());
      link.fail(wish);
      expect((await link.next('confirm')).ids).toEqual([begun]);
      expect(link.count('cancel')).toBe(0);
      await link.close();
    });

    it('is stopped where it is a command of another broker, which goes on with it', async () => {
      const other = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
      const foreign = await other.connect(cluster.hub(0).url);
      await cluster.api(0).ping(other.id);
      const dispatch = await foreign.nextDispatch();
      foreign.ack(dispatch);
      await running(dispatch.id);

      const link = await again([runs(dispatch.id)]);
      const wish = await link.nextCancel();
      link.cancelled(wish);
      await link.next('confirm');
      foreign.succeed(dispatch);

      expect(wish).toEqual({ id: dispatch.id, attempt: 1 });
      expect(await read(dispatch.id, 10)).toMatchObject({ state: 'succeeded', attempt: 1 });
      expect(foreign.count('cancel')).toBe(0);
      await link.close();
      await foreign.close();
    });

    it('is not stopped while it is live', async () => {
      const first = await connect();
      const id = await asked();
      first.ack(await first.nextDispatch());
      await running(id);
      first.cut();
      await first.closed;

      const link = await again([runs(id), runs(uuidv7())]);

      const { cancels } = await link.next('cancel');
      expect(cancels).toEqual([expect.not.objectContaining({ id })]);
      link.send({ t: 'result', results: [{ id, attempt: 1, outcome: 'succeeded', body: null }] });
      expect(await read(id, 10)).toMatchObject({ state: 'succeeded' });
      expect(link.count('cancel')).toBe(0);
      await link.close();
    });
  });

  it('that has ended stays as it is', async () => {
    const link = await connect();
    const id = await asked();
    link.succeed(await link.nextDispatch(), { time: 'now' });
    const before = await read(id, 10);
    expect(before.state).toBe('succeeded');

    const { status, body } = await cancel(id, 5);

    expect(status).toBe(200);
    expect(body.dispatch).toEqual(before);
    expect(body.dispatch.cancel).toBeNull();
    expect(await read(id)).toEqual(before);
    expect(link.count('cancel')).toBe(0);
    await link.close();
  });

  it('that nobody knows is not found', async () => {
    const { status, body } = await cancel(uuidv7());

    expect([status, body.code]).toEqual([404, 'not_found']);
  });

  /** Lets a command rest for an hour from when it is pending next, while no owner has its row in memory. */
  const stretchRest = async (id: string) => {
    const client = new pg.Client(cluster.database.url);
    await client.connect();
    try {
      const sql = "update broker_dispatch set retry_at = now() + interval '1 hour' where id = $1";
      expect((await client.query(sql, [id])).rowCount).toBe(1);
    } finally {
      await client.end();
    }
  };
});
