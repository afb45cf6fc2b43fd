import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { plantPings } from '../support/dispatch-rows.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker, type ScriptedLink } from '../support/scripted-broker.js';

/** The broker's links are with replica 1; commands come in at 0, where nothing else says, or at both. */
describe('a command for a broker that may be away', () => {
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

  const ask = (body: Record<string, unknown>, replica = 0) =>
    cluster
      .api(replica)
      .post(`/api/v1/brokers/${broker.id}/dispatches`, { op: 'broker.ping', orderingKey: null, ...body });
  const accepted = async (body: Record<string, unknown>, replica = 0): Promise<string> => {
    const answer = await ask(body, replica);
    if (answer.status >= 300) throw new Error(`refused: ${JSON.stringify(answer.body)}`);
    return answer.body.dispatch.id;
  };
  const ended = (id: string) => cluster.api(0).dispatch(id, 10);
  const stateOf = async (id: string) => (await cluster.api(0).dispatch(id)).state;
  const reasons = async (id: string) =>
    (await cluster.api(0).trail(id)).flatMap(({ reason }) => reason ?? []);
  const connect = (...given: [] | [Parameters<ScriptedBroker['connect']>[1]]) =>
    broker.connect(cluster.hub(1).url, ...given);
  const offline = () =>
    eventually(async () => {
      const { body } = await cluster.api(0).get(`/api/v1/brokers/${broker.id}`);
      return body.ownership.replica === null;
    });
  const leave = async (link: ScriptedLink) => {
    await link.close();
    await offline();
  };
  /** Asks for one more command: what the link was to carry before it has come by now. */
  const expectNothingElse = async (link: ScriptedLink) => {
    const last = await accepted({});
    const dispatch = await link.nextDispatch();
    expect(dispatch.id).toBe(last);
    link.succeed(dispatch);
    await ended(last);
  };

  describe('bound to a link', () => {
    const bindTo = async (id: string, epoch: number) => {
      await sql.query('update broker_dispatch set link_epoch = $2 where id = $1', [id, epoch]);
    };

    it('that was over when it was stored, never goes out on another', async () => {
      const link = await connect();
      // Seen by nobody before it is bound.
      await sql.query('begin');
      const [id = ''] = await plantPings(sql, [{ brokerId: broker.id, contract: 'now_or_fail' }]);
      await bindTo(id, broker.lastEpoch - 1);
      await sql.query('commit');

      // It is woken by its neighbour, and refused by the claim.
      await expectNothingElse(link);

      expect(await ended(id)).toMatchObject({
        state: 'failed',
        attempt: 0,
        error: { code: 'broker_offline', data: { effect: 'none' } },
      });
      await link.close();
    });

    it('that ended in the moment in which it was stored, ends at once', async () => {
      const link = await connect();
      const path = `/api/v1/brokers/${broker.id}/dispatches`;
      const body = { op: 'broker.ping', orderingKey: null, contract: 'now_or_fail' };
      const key = (name: string) => ({ 'idempotency-key': `${broker.id}-${name}` });
      await cluster.api(0).post(path, body, key('first'));
      link.succeed(await link.nextDispatch());
      // Its key is being taken by somebody else, so that the insert has seen the link and waits.
      await sql.query('begin');
      await sql.query(
        `insert into idempotency_key (scope, key, request_hash, subject_id)
         select scope, $2, request_hash, subject_id from idempotency_key where key = $1`,
        [`${broker.id}-first`, `${broker.id}-second`],
      );
      const answer = cluster.api(0).post(path, body, key('second'));
      await eventually(async () => {
        const { rows } = await sql.query(
          `select from pg_stat_activity where wait_event = 'transactionid' and datname = current_database()`,
        );
        return rows.length > 0;
      });

      link.cut();
      await offline();
      await sql.query('rollback');

      const { id } = (await answer).body.dispatch;
      expect(await ended(id)).toMatchObject({
        state: 'failed',
        attempt: 0,
        error: { code: 'broker_offline', data: { effect: 'none' } },
      });
    });
  });

  describe('as now_or_fail', () => {
    it('is refused with 409 broker_offline while the broker is away, and nothing is stored', async () => {
      const answers = [await ask({ contract: 'now_or_fail' }, 0), await ask({ contract: 'now_or_fail' }, 1)];

      expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
        [409, 'broker_offline'],
        [409, 'broker_offline'],
      ]);
      const { body } = await cluster.api(0).get(`/api/v1/dispatches?broker=${broker.id}`);
      expect(body.items).toEqual([]);
      const link = await connect();
      await expectNothingElse(link);
      await link.close();
    });

    it('is refused again once a broker that was here has left', async () => {
      await leave(await connect());

      expect(await ask({ contract: 'now_or_fail' })).toMatchObject({
        status: 409,
        body: { code: 'broker_offline' },
      });
    });

    it('goes out on the link that the broker has', async () => {
      const link = await connect();

      const id = await accepted({ contract: 'now_or_fail' });
      const dispatch = await link.nextDispatch();
      link.succeed(dispatch);

      expect(dispatch.id).toBe(id);
      expect(await ended(id)).toMatchObject({ state: 'succeeded', contract: 'now_or_fail' });
      await link.close();
    });

    it('fails without effect when the link ends before it is sent, and is not sent on the next one', async () => {
      const first = await broker.connect(cluster.hub(1).url, [], { window: 1 });
      await accepted({});
      const unacked = await first.nextDispatch();
      const id = await accepted({ contract: 'now_or_fail' });

      first.cut();

      expect(await ended(id)).toMatchObject({
        state: 'failed',
        attempt: 0,
        error: { code: 'broker_offline', retryable: false, data: { effect: 'none' } },
      });
      expect(await reasons(id)).toEqual(['broker_offline']);
      const second = await connect();
      const again = await second.nextDispatch();
      expect(again.id).toBe(unacked.id);
      second.succeed(again);
      await expectNothingElse(second);
      await second.close();
    });

    it('fails when it was claimed, and the next link says that it was never begun', async () => {
      const first = await connect();
      const id = await accepted({ contract: 'now_or_fail' });
      await first.nextDispatch();

      first.cut();
      const second = await connect();

      expect(await ended(id)).toMatchObject({
        state: 'failed',
        attempt: 1,
        error: { code: 'broker_offline', data: { effect: 'none' } },
      });
      await expectNothingElse(second);
      await second.close();
    });

    it('lives on when the broker has begun it, and its result is taken on the next link', async () => {
      const first = await connect();
      const id = await accepted({ contract: 'now_or_fail' });
      const dispatch = await first.nextDispatch();
      first.ack(dispatch);
      await eventually(async () => (await stateOf(id)) === 'running');

      first.cut();
      const second = await connect([{ id, attempt: 1, status: 'running' }]);
      second.succeed(dispatch);

      expect(await ended(id)).toMatchObject({ state: 'succeeded', attempt: 1 });
      await expectNothingElse(second);
      await second.close();
    });

    it('fails for good with a failure that may pass', async () => {
      const link = await connect();
      const id = await accepted({ contract: 'now_or_fail' });
      await link.nextDispatch();

      const error = { code: 'busy', message: 'Busy.', retryable: true };
      link.send({ t: 'result', results: [{ id, attempt: 1, outcome: 'failed', error }] });

      expect(await ended(id)).toMatchObject({ state: 'failed', attempt: 1, error: { code: 'busy' } });
      await expectNothingElse(link);
      await link.close();
    });

    it('fails at the next link where the replica died that could have told of the end of its own', async () => {
      const owner = await cluster.addReplica();
      const first = await broker.connect(owner.url, [], { window: 1 });
      await accepted({});
      const unacked = await first.nextDispatch();
      const id = await accepted({ contract: 'now_or_fail' });

      await owner.kill();
      const second = await connect();

      expect(await ended(id)).toMatchObject({ state: 'failed', error: { code: 'broker_offline' } });
      const again = await second.nextDispatch();
      expect(again.id).toBe(unacked.id);
      second.succeed(again);
      await expectNothingElse(second);
      await second.close();
    });
  });

  describe('as on_attach', () => {
    it('waits for the next link and goes out on it', async () => {
      const id = await accepted({ contract: 'on_attach' });
      expect(await stateOf(id)).toBe('pending');

      const link = await connect();
      const dispatch = await link.nextDispatch();
      link.succeed(dispatch);

      expect(dispatch.id).toBe(id);
      expect(await ended(id)).toMatchObject({ state: 'succeeded', attempt: 1 });
      await link.close();
    });

    it('fails with that link when it was not sent on it, and waits for no third', async () => {
      const before = await accepted({});
      const id = await accepted({ contract: 'on_attach' });
      const first = await broker.connect(cluster.hub(1).url, [], { window: 1 });
      expect((await first.nextDispatch()).id).toBe(before);
      expect(await stateOf(id)).toBe('pending');

      first.cut();

      expect(await ended(id)).toMatchObject({
        state: 'failed',
        attempt: 0,
        error: { code: 'broker_offline', data: { effect: 'none' } },
      });
      const second = await connect();
      const again = await second.nextDispatch();
      expect(again.id).toBe(before);
      second.succeed(again);
      await expectNothingElse(second);
      await second.close();
    });

    it('is bound to the link that the broker has when it comes', async () => {
      const first = await broker.connect(cluster.hub(1).url, [], { window: 1 });
      await accepted({});
      const unacked = await first.nextDispatch();
      const id = await accepted({ contract: 'on_attach' });

      first.cut();

      expect(await ended(id)).toMatchObject({ state: 'failed', error: { code: 'broker_offline' } });
      const second = await connect();
      expect((await second.nextDispatch()).id).toBe(unacked.id);
      await second.close();
    });

    it('leaves a command that may wait for any link alone', async () => {
      const first = await broker.connect(cluster.hub(1).url, [], { window: 1 });
      await accepted({});
      await first.nextDispatch();
      const [bound, free] = [await accepted({ contract: 'on_attach' }), await accepted({})];

      first.cut();

      expect(await ended(bound)).toMatchObject({ state: 'failed' });
      expect(await stateOf(free)).toBe('pending');
    });
  });

  describe('as latest_only', () => {
    const latest = (orderingKey: string | null, replica = 0) =>
      accepted({ contract: 'latest_only', orderingKey }, replica);
    const superseded = { state: 'cancelled', attempt: 0, error: { code: 'superseded' } };

    it('is cancelled as superseded when a later one of its key comes, at whichever replica', async () => {
      const other = await latest('other');
      const plain = await accepted({ orderingKey: 'k' });
      const [first, second, third] = [await latest('k', 0), await latest('k', 1), await latest('k', 0)];

      expect(await ended(first)).toMatchObject(superseded);
      expect(await ended(second)).toMatchObject(superseded);
      expect(await reasons(first)).toEqual(['superseded']);
      const link = await connect();
      const sent: string[] = [];
      for (let count = 0; count < 3; count += 1) {
        const dispatch = await link.nextDispatch();
        sent.push(dispatch.id);
        link.succeed(dispatch);
      }
      expect(sent.sort()).toEqual([other, plain, third].sort());
      await expectNothingElse(link);
      await link.close();
    });

    it('is judged again at the claim: where the judgement was lost, still only the last is sent', async () => {
      const row = { brokerId: broker.id, orderingKey: 'k', contract: 'latest_only' };
      const [first = '', second = '', third = ''] = await plantPings(sql, [row, row, row]);

      const link = await connect();
      const dispatch = await link.nextDispatch();
      link.succeed(dispatch);

      expect(dispatch.id).toBe(third);
      expect(await ended(first)).toMatchObject(superseded);
      expect(await ended(second)).toMatchObject(superseded);
      await expectNothingElse(link);
      await link.close();
    });

    it('leaves one of many that come at the same moment at both replicas: the last that was stored', async () => {
      const ids = await Promise.all(Array.from({ length: 20 }, (_, index) => latest('k', index % 2)));

      const link = await connect();
      const dispatch = await link.nextDispatch();
      link.succeed(dispatch);
      const records = await Promise.all(ids.map((id) => ended(id)));
      await expectNothingElse(link);

      expect(records.filter(({ error }) => error?.code === 'superseded')).toHaveLength(19);
      const { rows } = await sql.query<{ id: string }>(
        'select id from broker_dispatch_history where id = any ($1::uuid[]) order by seq desc limit 1',
        [ids],
      );
      expect(dispatch.id).toBe(rows[0]?.id);
      await link.close();
    });

    it('lets one that is out come to its end, and replaces only what waits behind it', async () => {
      const link = await connect();
      const first = await latest('k');
      const out = await link.nextDispatch();
      link.ack(out);
      const second = await latest('k', 1);
      const third = await latest('k');

      expect(await ended(second)).toMatchObject(superseded);
      link.succeed(out);
      const next = await link.nextDispatch();
      link.succeed(next);

      expect([out.id, next.id]).toEqual([first, third]);
      expect(await ended(first)).toMatchObject({ state: 'succeeded' });
      expect(await ended(third)).toMatchObject({ state: 'succeeded' });
      await link.close();
    });

    it('that was to be sent later does not undo the one that came after it, though nobody judged that when it was stored', async () => {
      const first = await accepted({
        contract: 'latest_only',
        orderingKey: 'k',
        notBefore: new Date(Date.now() + 60_000).toISOString(),
      });
      const [second] = await plantPings(sql, [
        { brokerId: broker.id, orderingKey: 'k', contract: 'latest_only' },
      ]);

      const link = await connect();
      const dispatch = await link.nextDispatch();

      expect(dispatch.id).toBe(second);
      expect(await ended(first)).toMatchObject(superseded);
      link.succeed(dispatch);
      await link.close();
    });

    it('gives way at once where it failed in a way that may pass, and a later one has come meanwhile', async () => {
      await sql.query(`
        create function rest_long() returns trigger language plpgsql as $$
        begin
          new.retry_at := now() + interval '5 minutes';
          return new;
        end $$;
        create trigger rest_long before update on broker_dispatch for each row
        when (old.retry_at is distinct from new.retry_at) execute function rest_long()`);
      const link = await connect();
      const first = await latest('k');
      const dispatch = await link.nextDispatch();
      const second = await latest('k');

      link.fail(dispatch, { retryable: true });

      expect(await ended(first)).toMatchObject({ state: 'cancelled', error: { code: 'superseded' } });
      expect((await link.nextDispatch()).id).toBe(second);
      await sql.query('drop trigger rest_long on broker_dispatch');
      await link.close();
    });

    it('is refused with 400 without an ordering key', async () => {
      const { status, body } = await ask({ contract: 'latest_only', orderingKey: null });

      expect([status, body.code]).toEqual([400, 'request_invalid']);
      expect(body.fields.map(({ path }: { path: string }) => path)).toEqual(['orderingKey']);
    });
  });

  describe('with a time before which it is not sent', () => {
    const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();

    it('does not hold up its key until then, and goes out when it is due', async () => {
      const link = await connect();
      const notBefore = inMs(2_000);
      const early = await accepted({ orderingKey: 'k', notBefore });
      const late = await accepted({ orderingKey: 'k' }, 1);

      const first = await link.nextDispatch();
      expect([first.id, Date.now() < Date.parse(notBefore)]).toEqual([late, true]);
      link.succeed(first);
      expect(await cluster.api(0).dispatch(early)).toMatchObject({ state: 'pending', notBefore });
      const second = await link.nextDispatch();
      const arrivedAt = Date.now();
      link.succeed(second);

      expect(second.id).toBe(early);
      expect(arrivedAt).toBeGreaterThanOrEqual(Date.parse(notBefore));
      expect(arrivedAt).toBeLessThan(Date.parse(notBefore) + 3_000);
      expect(await ended(early)).toMatchObject({ state: 'succeeded', attempt: 1 });
      await link.close();
    });

    it('has its place in the order of its key once it is due', async () => {
      const link = await connect();
      const notBefore = inMs(1_000);
      const early = await accepted({ orderingKey: 'k', notBefore });
      const running = await accepted({ orderingKey: 'k' });
      const last = await accepted({ orderingKey: 'k' }, 1);

      const first = await link.nextDispatch();
      link.ack(first);
      await eventually(() => Date.now() > Date.parse(notBefore));
      link.succeed(first);
      const second = await link.nextDispatch();
      link.succeed(second);
      const third = await link.nextDispatch();
      link.succeed(third);

      expect([first.id, second.id, third.id]).toEqual([running, early, last]);
      await link.close();
    });

    it('is refused with 400 where its deadline is sooner', async () => {
      const { status, body } = await ask({ notBefore: inMs(20_000), deadlineS: 10 });

      expect([status, body.code]).toEqual([400, 'request_invalid']);
      expect(body.fields.map(({ path }: { path: string }) => path)).toEqual(['notBefore']);
    });

    it.each(['2026-10-25T02:30:00', '2026-W33-1', '2026-02-30T00:00:00Z', '2026-06-30T23:59:60Z'])(
      'is refused with 400 where %s is that time, which is no moment',
      async (notBefore) => {
        const { status, body } = await ask({ notBefore, deadlineS: 604_800 });

        expect([status, body.code]).toEqual([400, 'request_invalid']);
        expect(body.fields.map(({ path }: { path: string }) => path)).toEqual(['notBefore']);
      },
    );

    it('goes out at once where that time is past', async () => {
      const link = await connect();

      const id = await accepted({ notBefore: inMs(-60_000) });

      expect((await link.nextDispatch()).id).toBe(id);
      await link.close();
    });
  });
});
