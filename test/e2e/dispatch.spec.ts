import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { plantPings } from '../support/dispatch-rows.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { expectNoLeaks } from '../support/leaks.js';

describe('a command in a cluster of two replicas', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
  });

  afterAll(async () => {
    await cluster.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  for (const [where, caller] of [
    ['the replica that holds the broker', 1],
    ['the other replica', 0],
  ] as const) {
    it(`is answered with its result, and leaves its whole record, when it came in at ${where}`, async () => {
      const broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
      const link = await broker.connect(cluster.hub(1).url);

      const answer = cluster.api(caller).ping(broker.name, { waitS: 10 });
      const dispatch = await link.nextDispatch();
      link.ack(dispatch);
      link.succeed(dispatch, { time: 'now' });

      const { status, body } = await answer;
      expect(status).toBe(200);
      expect(body.dispatch).toMatchObject({ state: 'succeeded', result: { time: 'now' }, attempt: 1 });
      expect((await link.next('confirm')).ids).toEqual([dispatch.id]);
      const trail = await cluster.api(caller).trail(dispatch.id);
      expect(trail.map(({ state }) => state).filter((state) => state !== 'running')).toEqual([
        'pending',
        'claimed',
        'succeeded',
      ]);
      await link.close();
    });
  }

  it('goes out without arguments where null stands in their place, as it could once, and holds up nothing', async () => {
    const broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const sql = new pg.Client(cluster.database.url);
    await sql.connect();
    const [first, last] = await plantPings(sql, Array(2).fill({ brokerId: broker.id, orderingKey: 'k' }));
    await sql.query(`update broker_dispatch set args = 'null' where id = $1`, [first]);
    await sql.end();

    const link = await broker.connect(cluster.hub(1).url);
    const sent = await link.nextDispatch();
    link.succeed(sent);

    expect(sent).toMatchObject({ id: first, attempt: 1, args: {} });
    expect((await link.nextDispatch()).id).toBe(last);
    await link.close();
  });
});
