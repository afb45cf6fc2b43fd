import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { plantPings, wakeOwner } from '../support/dispatch-rows.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker, type ScriptedLink } from '../support/scripted-broker.js';

describe('a command that is done again', () => {
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

  const redrive = (id: string, replica = 0, headers: Record<string, string> = {}) =>
    cluster.api(replica).post(`/api/v1/dispatches/${id}/redrive`, undefined, headers);
  const matching = (filter: Record<string, unknown>, replica = 0, headers: Record<string, string> = {}) =>
    cluster.api(replica).post('/api/v1/dispatches/redrive', filter, headers);
  const ask = async (body: Record<string, unknown> = {}): Promise<string> => {
    const path = `/api/v1/brokers/${broker.id}/dispatches`;
    return (await cluster.api(0).post(path, { op: 'broker.ping', orderingKey: null, ...body })).body.dispatch
      .id;
  };
  const fail = (link: ScriptedLink, { id, attempt }: { id: string; attempt: number }, retryable: boolean) => {
    const error = { code: 'broken', message: 'Broken.', retryable };
    link.send({ t: 'result', results: [{ id, attempt, outcome: 'failed', error }] });
  };
  /** Commands that failed as often as they may, which is once. */
  const dead = async (link: ScriptedLink, count: number): Promise<string[]> => {
    const ids = await plantPings(
      sql,
      Array.from({ length: count }, () => ({ brokerId: broker.id, maxFailures: 1 })),
    );
    await wakeOwner(sql, broker.id);
    for (let seen = 0; seen < count; seen += 1) fail(link, await link.nextDispatch(), true);
    for (const id of ids) expect(await cluster.api(0).dispatch(id, 10)).toMatchObject({ state: 'dead' });
    return ids;
  };

  it('is a new command with the op, key, contract and time of the old, which it names and leaves as it was', async () => {
    const old = await ask({ deadlineS: 3_600, orderingKey: 'k', contract: 'on_attach', lane: 'bulk' });
    await sql.query(
      `update broker_dispatch
       set created_at = now() + interval '1 second' - interval '1 hour', deadline_at = now() + interval '1 second'
       where id = $1`,
      [old],
    );
    const expired = await cluster.api(0).dispatch(old, 10);
    expect(expired).toMatchObject({ state: 'expired', error: { code: 'deadline_passed' } });

    const { status, headers, body } = await redrive(old, 1);
    const link = await broker.connect(cluster.hub(1).url);
    const dispatch = await link.nextDispatch();
    link.succeed(dispatch);

    expect(status).toBe(202);
    expect(headers.get('location')).toBe(`/api/v1/dispatches/${dispatch.id}`);
    expect(body.dispatch).toMatchObject({
      id: dispatch.id,
      state: 'pending',
      op: 'broker.ping',
      orderingKey: 'k',
      contract: 'on_attach',
      lane: 'bulk',
      redriveOf: old,
      attempt: 0,
    });
    const { createdAt, deadlineAt } = body.dispatch;
    expect(Date.parse(deadlineAt) - Date.parse(createdAt)).toBe(3_600_000);
    expect(dispatch.id).not.toBe(old);
    expect(await cluster.api(0).dispatch(dispatch.id, 10)).toMatchObject({
      state: 'succeeded',
      redriveOf: old,
    });
    expect(await cluster.api(0).dispatch(old)).toEqual(expired);
    const { body: trails } = await cluster.api(0).get(`/api/v1/trails?broker=${broker.id}`);
    expect(trails.items).toMatchObject([
      { id: old, redriveOf: null },
      { id: dispatch.id, redriveOf: old },
    ]);
    await link.close();
  });

  it('is done again once, however often, by whatever way and at whichever replica that is asked', async () => {
    const link = await broker.connect(cluster.hub(1).url);
    const [old = ''] = await dead(link, 1);

    const answers = await Promise.all([0, 1, 0, 1].map((replica) => redrive(old, replica)));
    const { body } = await matching({ broker: broker.id });
    const dispatch = await link.nextDispatch();
    link.succeed(dispatch);
    const after = await redrive(old, 0, { prefer: 'wait=10' });

    for (const answer of [...answers, after]) expect(answer.body.dispatch.id).toBe(dispatch.id);
    expect(body).toEqual({ redriven: [], refused: [], next: null });
    expect([after.status, after.body.dispatch.state]).toEqual([200, 'succeeded']);
    const last = await ask();
    expect((await link.nextDispatch()).id).toBe(last);
    await link.close();
  });

  it('is the same under the same idempotency key; for another command that key is refused with 422', async () => {
    const link = await broker.connect(cluster.hub(1).url);
    const [old = '', other = ''] = await dead(link, 2);
    const key = { 'idempotency-key': randomUUID() };

    const first = await redrive(old, 0, key);
    const repeat = await redrive(old, 1, key);
    const reused = await redrive(other, 1, key);
    const { body: unkeyed } = await redrive(other, 0);

    expect(repeat.body.dispatch.id).toBe(first.body.dispatch.id);
    expect([reused.status, reused.body.code]).toEqual([422, 'idempotency_key_reused']);
    expect(unkeyed.dispatch).toMatchObject({ redriveOf: other });
    await link.close();
  });

  it('can be waited for', async () => {
    const link = await broker.connect(cluster.hub(1).url);
    const [old = ''] = await dead(link, 1);

    const answer = redrive(old, 0, { prefer: 'wait=10' });
    link.succeed(await link.nextDispatch(), { done: 'again' });

    const { status, body } = await answer;
    expect([status, body.dispatch.state, body.dispatch.result]).toEqual([
      200,
      'succeeded',
      { done: 'again' },
    ]);
    await link.close();
  });

  it('and ends badly once more can be done again in its turn', async () => {
    const link = await broker.connect(cluster.hub(1).url);
    const [old = ''] = await dead(link, 1);
    const { body: first } = await redrive(old);
    fail(link, await link.nextDispatch(), false);
    expect(await cluster.api(0).dispatch(first.dispatch.id, 10)).toMatchObject({ state: 'failed' });

    const { body: second } = await redrive(first.dispatch.id);

    expect(second.dispatch.redriveOf).toBe(first.dispatch.id);
    expect(second.dispatch.id).not.toBe(first.dispatch.id);
    await link.close();
  });

  it('may be one that was cancelled', async () => {
    const old = await ask();
    await cluster.api(0).post(`/api/v1/dispatches/${old}/cancel`);

    expect((await redrive(old)).body.dispatch).toMatchObject({ redriveOf: old, state: 'pending' });
  });

  describe('by a filter', () => {
    it('is told by its trail with the key of the request and what it does again', async () => {
      const link = await broker.connect(cluster.hub(1).url);
      const ids = await dead(link, 2);
      const key = randomUUID();

      const { body } = await matching({ broker: broker.name }, 0, { 'idempotency-key': key });

      const { body: trails } = await cluster.api(1).get(`/api/v1/trails?broker=${broker.id}`);
      const keys = new Map(
        trails.items.map(({ id, idempotencyKey }: Record<string, string>) => [id, idempotencyKey]),
      );
      expect(body.redriven.map(({ to }: { to: string }) => keys.get(to))).toEqual(
        ids.map((id) => `${key} ${id}`),
      );
      await link.close();
    });

    it('goes page by page, newest first, each once', async () => {
      const link = await broker.connect(cluster.hub(1).url);
      const ids = await dead(link, 5);
      const failing = await ask();
      fail(link, await link.nextDispatch(), false);
      await cluster.api(0).dispatch(failing, 10);

      const pages: { redriven: { from: string; to: string }[]; next: string | null }[] = [];
      for (let before: string | null | undefined; before !== null && pages.length < 10;) {
        const filter = { state: 'dead', broker: broker.name, limit: 2 };
        const { status, body } = await matching(before === undefined ? filter : { ...filter, before });
        expect([status, body.refused]).toEqual([200, []]);
        pages.push(body);
        before = body.next;
      }

      expect(pages.map(({ redriven }) => redriven.length)).toEqual([2, 2, 1]);
      const redriven = pages.flatMap((page) => page.redriven);
      const [a, b, c, d, e] = ids;
      expect(pages.map((page) => page.redriven.map(({ from }) => from))).toEqual([[d, e], [b, c], [a]]);
      const sent = new Set<string>();
      for (let count = 0; count < 5; count += 1) {
        const dispatch = await link.nextDispatch();
        sent.add(dispatch.id);
        link.succeed(dispatch);
      }
      expect(sent).toEqual(new Set(redriven.map(({ to }) => to)));
      const last = await ask();
      expect((await link.nextDispatch()).id).toBe(last);
      await link.close();
    });

    it('leaves out what is or was done again, also when its key is long gone', async () => {
      const link = await broker.connect(cluster.hub(1).url);
      const [ended, live, left] = await dead(link, 3);
      const { body: first } = await redrive(ended!);
      link.succeed(await link.nextDispatch());
      await cluster.api(0).dispatch(first.dispatch.id, 10);
      await redrive(live!);
      link.ack(await link.nextDispatch());
      await sql.query('delete from idempotency_key');

      const answers = [
        await matching({ broker: broker.id, limit: 1 }),
        await matching({ broker: broker.id }),
      ];

      const redriven = answers.map(({ body }) => body.redriven);
      expect(redriven).toEqual([[{ from: left, to: expect.any(String) }], []]);
      expect(answers.map(({ body }) => body.next)).toEqual([null, null]);
      const { body: named } = await redrive(ended!);
      expect(named.dispatch).toMatchObject({ redriveOf: ended });
      expect(named.dispatch.id).not.toBe(first.dispatch.id);
      await link.close();
    });

    describe('under an idempotency key', () => {
      const under = (key: string) => ({ 'idempotency-key': key });
      const countAgain = async (ids: readonly string[]) => {
        const again = `select redrive_of from broker_dispatch where redrive_of = any ($1)
          union all select redrive_of from broker_dispatch_history where redrive_of = any ($1)`;
        return (await sql.query(again, [ids])).rowCount;
      };

      it('tells a repeat what the first did, and does no more', async () => {
        const link = await broker.connect(cluster.hub(1).url);
        const ids = await dead(link, 5);
        const [key, filter] = [under(randomUUID()), { broker: broker.id, limit: 2 }];

        const first = await matching(filter, 0, key);
        const repeats = [await matching(filter, 1, key), await matching(filter, 0, key)];

        expect(first.body.redriven.map(({ from }: { from: string }) => from)).toEqual(ids.slice(3));
        expect(first.body.next).toBe(ids[3]);
        for (const { status, body } of repeats) expect([status, body]).toEqual([200, first.body]);
        expect(await countAgain(ids)).toBe(2);
        const { body: rest } = await matching(filter, 1, under(randomUUID()));
        expect(rest.redriven.map(({ from }: { from: string }) => from)).toEqual(ids.slice(1, 3));
        await link.close();
      });

      it('does once what comes several times at the same moment', async () => {
        const link = await broker.connect(cluster.hub(1).url);
        const ids = await dead(link, 6);
        const [key, filter] = [under(randomUUID()), { broker: broker.id, limit: 2 }];

        const answers = await Promise.all([0, 1, 0, 1].map((replica) => matching(filter, replica, key)));

        for (const { status, body } of answers) expect([status, body]).toEqual([200, answers[0]?.body]);
        expect(answers[0]?.body.redriven).toHaveLength(2);
        expect(await countAgain(ids)).toBe(2);
        await link.close();
      });

      it('tells a repeat what was refused, also where it would not be any more', async () => {
        const link = await broker.connect(cluster.hub(1).url);
        const offline = await ask({ contract: 'now_or_fail' });
        fail(link, await link.nextDispatch(), false);
        await cluster.api(0).dispatch(offline, 10);
        await link.close();
        await eventually(async () => {
          const { body } = await cluster.api(0).get(`/api/v1/brokers/${broker.id}`);
          return body.ownership.replica === null;
        });
        const [key, filter] = [under(randomUUID()), { state: 'failed', broker: broker.id }];

        const first = await matching(filter, 0, key);
        const again = await broker.connect(cluster.hub(1).url);
        const repeat = await matching(filter, 1, key);

        expect(first.body.refused).toMatchObject([{ id: offline, code: 'broker_offline' }]);
        expect(repeat.body).toEqual(first.body);
        expect(await countAgain([offline])).toBe(0);
        const { body: anew } = await matching(filter, 1, under(randomUUID()));
        expect(anew.redriven).toMatchObject([{ from: offline }]);
        await again.close();
      });

      it('is refused with 422 where the key was that of another filter', async () => {
        const link = await broker.connect(cluster.hub(1).url);
        const ids = await dead(link, 2);
        const key = under(randomUUID());
        await matching({ broker: broker.id, limit: 1 }, 0, key);

        const { status, body } = await matching({ broker: broker.id, limit: 2 }, 1, key);

        expect([status, body.code]).toEqual([422, 'idempotency_key_reused']);
        expect(await countAgain(ids)).toBe(1);
        await link.close();
      });

      it('can be asked for again where it was refused as a whole', async () => {
        const link = await broker.connect(cluster.hub(1).url);
        const [old] = await dead(link, 1);
        const key = under(randomUUID());
        const name = `b-${randomUUID().slice(0, 8)}`;

        const refused = await matching({ broker: name }, 0, key);
        const { body: broken } = await matching({ broker: broker.id }, 0, key);

        expect(refused.status).toBe(404);
        expect(broken.redriven).toMatchObject([{ from: old }]);
        await link.close();
      });
    });

    it('keeps those of a key in the order in which they were asked for', async () => {
      const ids = [await ask({ orderingKey: 'k' }), await ask({ orderingKey: 'k' })];
      const link = await broker.connect(cluster.hub(1).url);
      for (let count = 0; count < 2; count += 1) fail(link, await link.nextDispatch(), false);
      await Promise.all(ids.map((id) => cluster.api(0).dispatch(id, 10)));

      await matching({ state: 'failed', broker: broker.id });
      const again: (string | null)[] = [];
      for (let count = 0; count < 2; count += 1) {
        const dispatch = await link.nextDispatch();
        link.succeed(dispatch);
        again.push((await cluster.api(0).dispatch(dispatch.id)).redriveOf);
      }

      expect(again).toEqual(ids);
      await link.close();
    });

    it('takes those of the state, op and broker that it names', async () => {
      const [failed, other] = [await ask(), await ask()];
      const link = await broker.connect(cluster.hub(1).url);
      for (let count = 0; count < 2; count += 1) {
        const dispatch = await link.nextDispatch();
        if (dispatch.id === failed) fail(link, dispatch, false);
        else link.succeed(dispatch);
      }
      await Promise.all([failed, other].map((id) => cluster.api(0).dispatch(id, 10)));
      const elsewhere = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
      const from = async (filter: Record<string, unknown>) =>
        (await matching(filter)).body.redriven.map((each: { from: string }) => each.from);

      expect(await from({ state: 'dead', broker: broker.id })).toEqual([]);
      expect(await from({ state: 'failed', broker: elsewhere.id })).toEqual([]);
      expect(await from({ state: 'failed', broker: broker.id, op: 'agent.start' })).toEqual([]);
      expect(await from({ state: 'failed', broker: broker.id, op: 'broker.ping' })).toEqual([failed]);
      await link.close();
    });

    it('tells which could not be done again, and why, and does the others', async () => {
      const link = await broker.connect(cluster.hub(1).url);
      const [offline, waiting] = [await ask({ contract: 'now_or_fail' }), await ask()];
      for (let count = 0; count < 2; count += 1) fail(link, await link.nextDispatch(), false);
      await Promise.all([offline, waiting].map((id) => cluster.api(0).dispatch(id, 10)));
      await link.close();
      await eventually(async () => {
        const { body } = await cluster.api(0).get(`/api/v1/brokers/${broker.id}`);
        return body.ownership.replica === null;
      });

      const { body } = await matching({ state: 'failed', broker: broker.id });

      expect(body.redriven.map(({ from }: { from: string }) => from)).toEqual([waiting]);
      expect(body.refused).toEqual([
        expect.objectContaining({ id: offline, code: 'broker_offline', detail: expect.any(String) }),
      ]);
    });

    it.each([
      ['a state that is no ending to repeat', { state: 'succeeded' }, 400],
      ['a live state', { state: 'pending' }, 400],
      ['a broker that is not there', { broker: 'nobody' }, 404],
      ['more than 500 at a time', { limit: 501 }, 400],
    ])('refuses %s', async (_, filter, status) => {
      expect((await matching(filter)).status).toBe(status);
    });
  });

  describe('is refused with 409 not_redrivable where it', () => {
    it('succeeded, or has not ended', async () => {
      const link = await broker.connect(cluster.hub(1).url);
      const succeeded = await ask();
      link.succeed(await link.nextDispatch());
      await cluster.api(0).dispatch(succeeded, 10);
      const running = await ask();
      link.ack(await link.nextDispatch());

      for (const id of [succeeded, running]) {
        const { status, body } = await redrive(id);
        expect([status, body.code]).toEqual([409, 'not_redrivable']);
      }
      await link.close();
    });

    it('was replaced by a later one of its key, which it would replace in turn', async () => {
      const [first, latest] = [
        await ask({ orderingKey: 'k', contract: 'latest_only' }),
        await ask({ orderingKey: 'k', contract: 'latest_only' }),
      ];
      expect(await cluster.api(0).dispatch(first, 10)).toMatchObject({ error: { code: 'superseded' } });

      const { status, body } = await redrive(first);

      expect([status, body.code]).toEqual([409, 'not_redrivable']);
      expect(await cluster.api(0).dispatch(latest)).toMatchObject({ state: 'pending' });
    });

    it('was asked of an agent, whose own verbs keep its record in step', async () => {
      const link = await broker.connect(cluster.hub(1).url);
      const name = `a-${randomUUID().slice(0, 8)}`;
      await cluster.api(0).post('/api/v1/agents', { name, broker: broker.id, spec: { command: 'true' } });
      const { body: start } = await cluster.api(0).post(`/api/v1/agents/${name}/start`);
      fail(link, await link.nextDispatch(), false);
      await cluster.api(0).dispatch(start.dispatch.id, 10);

      const { status, body } = await redrive(start.dispatch.id);
      const { body: filtered } = await matching({ state: 'failed', broker: broker.id });

      expect([status, body.code]).toEqual([409, 'not_redrivable']);
      expect(filtered.redriven).toEqual([]);
      expect(filtered.refused).toMatchObject([{ id: start.dispatch.id, code: 'not_redrivable' }]);
      await link.close();
    });
  });

  it('is answered with 404 where it is not known', async () => {
    expect((await redrive(randomUUID())).status).toBe(404);
  });
});
