import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { plantPings } from '../support/dispatch-rows.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

const MOST = 10_000;

describe('the commands that wait for a broker', () => {
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

  const fill = (count: number) =>
    plantPings(
      sql,
      Array.from({ length: count }, () => ({ brokerId: broker.id })),
    );
  const ping = (replica: number, given: { key?: string } = {}) =>
    cluster.api(replica).ping(broker.id, { orderingKey: null, ...given });
  const depth = async () => {
    const { rows } = await sql.query<{ count: number }>(
      'select count(*)::integer as count from broker_dispatch where broker_id = $1',
      [broker.id],
    );
    return rows[0]?.count ?? -1;
  };

  it('are 10,000 at most: one more is refused with 429, the depth, and when to come again', async () => {
    await fill(MOST - 1);

    const last = await ping(0);
    const refused = [await ping(0), await ping(1)];

    expect(last.status).toBe(202);
    for (const { status, headers, body } of refused) {
      expect([status, body.code, body.depth]).toEqual([429, 'backlog_full', MOST]);
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect(await depth()).toBe(MOST);
  });

  it('do not count for another broker', async () => {
    await fill(MOST);
    const other = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);

    expect((await ping(0)).status).toBe(429);
    expect((await cluster.api(0).ping(other.id)).status).toBe(202);
  });

  it('are counted exactly within a batch: it fills what is left, and refuses the rest one by one', async () => {
    await fill(MOST - 300);
    const items = Array.from({ length: 1_000 }, () => ({
      broker: broker.id,
      op: 'broker.ping',
      orderingKey: null,
    }));

    const { status, body } = await cluster.api(0).post('/api/v1/dispatches/batch', { items });

    expect([status, body.accepted, body.refused]).toEqual([200, 300, 700]);
    const problems = (body.items as { problem: { code: string; depth: number } | null }[]).map(
      ({ problem }) => problem,
    );
    expect(problems.at(-1)?.depth).toBeGreaterThanOrEqual(MOST - 300);
    expect(problems.map((problem) => problem?.code)).toEqual(
      items.map((_, place) => (place < 300 ? undefined : 'backlog_full')),
    );
    expect(await depth()).toBe(MOST);
  });

  it('are counted anew by a replica that remembers fewer, before it adds many', async () => {
    await ping(0);
    await fill(MOST - 1);
    const items = Array.from({ length: 1_000 }, () => ({ broker: broker.id, op: 'broker.ping' }));
    const batch = () => cluster.api(0).post('/api/v1/dispatches/batch', { items });

    await batch();
    const { body } = await batch();

    expect(body.refused).toBe(1_000);
    // The one slip that a count taken now and then allows.
    expect(await depth()).toBeLessThanOrEqual(MOST + 1_000 + 512);
  });

  it('keep their answers: a repeat of an accepted one is no new one', async () => {
    const key = randomUUID();
    const accepted = await ping(0, { key });
    await fill(MOST - 1);

    const [again, other] = [await ping(1, { key }), await ping(1, { key: randomUUID() })];

    expect([again.status, again.body.dispatch?.id]).toEqual([202, accepted.body.dispatch.id]);
    expect([other.status, other.body.code]).toEqual([429, 'backlog_full']);
  });

  it('make room as they end', async () => {
    await fill(MOST);
    expect([(await ping(0)).status, (await ping(1)).status]).toEqual([429, 429]);
    const link = await broker.connect(cluster.hub(1).url);
    for (let count = 0; count < 10; count += 1) link.succeed(await link.nextDispatch());
    await eventually(async () => (await depth()) === MOST - 10);

    const answers = await Promise.all(Array.from({ length: 10 }, () => ping(0)));
    const refused = await ping(0);

    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 202));
    expect([refused.status, refused.body.depth]).toEqual([429, MOST]);
    await link.close();
  });
});
