import { setTimeout as rest } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { Caller } from './support/caller.js';
import { DatabaseProxy } from './support/database-proxy.js';
import { ServerPair } from './support/server-pair.js';
import { WorkingBroker } from './support/working-broker.js';

const BROKERS = 3;
/** Callers must not give more than their brokers can do: what is left over would be waited for at the end. */
const CALLER_RESTS_MS = 10;
const SLOW = { withinMs: 30_000, everyMs: 100 };

/** What docs/operations.md says of a failover to a synchronous standby. */
describe('a database with a synchronous standby', () => {
  let pair: ServerPair;
  let proxy: DatabaseProxy;
  let cluster: Cluster;

  beforeAll(async () => {
    pair = await ServerPair.start();
    proxy = await DatabaseProxy.start(pair.primaryUrl);
    cluster = await Cluster.start(2, { url: proxy.url, drop: () => pair.drop() });
  }, 120_000);

  afterAll(async () => {
    await cluster.stop();
    await proxy.stop();
  });

  const standby = async () => (await cluster.api(0).get('/health')).body.database.standby;

  it('takes no command that the standby does not have, and says why', async () => {
    const broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const link = await broker.connect(cluster.hub(0).url);
    await eventually(async () => (await standby()) === 'present', SLOW);

    await pair.stopStandby();
    await eventually(async () => (await standby()) === 'away', SLOW);
    const key = 'while the standby is away'.replaceAll(' ', '-');
    const refused = await cluster.api(1).ping(broker.id, { key });
    const again = await cluster.api(1).ping(broker.id, { key });
    // A session that is ended leaves what it waited with on this server alone, where everybody sees it from then on.
    await pair.endWaiting();
    const seen = await cluster.api(1).ping(broker.id, { key });
    await pair.startStandby();

    expect([refused, again, seen].map(({ status }) => status)).toEqual([503, 503, 503]);
    const taken = await eventually(async () => {
      const answer = await cluster.api(1).ping(broker.id, { key });
      return answer.status === 202 && answer;
    }, SLOW);
    const dispatch = await link.nextDispatch(10_000);
    expect(dispatch.id).toBe(taken.body.dispatch.id);
    link.succeed(dispatch);
    expect(await cluster.api(0).dispatch(dispatch.id, 10)).toMatchObject({ state: 'succeeded', attempt: 1 });
    await link.close();
  }, 90_000);

  it('loses nothing that was accepted where the standby takes its place, and no replica its own', async () => {
    const hubs = [0, 1].map((place) => cluster.hub(place).url);
    const brokers = await Promise.all(
      Array.from({ length: BROKERS }, () => ScriptedBroker.join(cluster.api(0), cluster.hub(0).url)),
    );
    const workers = brokers.map((broker, count) => new WorkingBroker(broker, () => rotated(hubs, count)));
    const callers = brokers.flatMap((broker, count) =>
      ['a', 'b'].map((key) => {
        const apis = () => rotated([cluster.api(0), cluster.api(1)], count + 1);
        return { caller: new Caller(broker.id, apis, key, CALLER_RESTS_MS), worker: workers[count] };
      }),
    );
    const accepted = () => callers.flatMap(({ caller }) => caller.accepted);
    await eventually(() => accepted().length > 100, SLOW);

    await pair.crashPrimary();
    const before = accepted().length;
    await rest(2_000);
    const whileAway = await cluster.api(0).ping(brokers[0]?.id ?? '');
    await pair.promote();
    proxy.leadTo(pair.standbyUrl);
    await eventually(() => accepted().length > before + 100, SLOW);

    await Promise.all(callers.map(({ caller }) => caller.stop()));
    const ids = accepted();
    const database = new pg.Client(pair.standbyUrl);
    await database.connect();
    try {
      await eventually(async () => {
        const live = await database.query('select from broker_dispatch where id = any ($1::uuid[])', [ids]);
        return live.rowCount === 0;
      }, SLOW);
      const { rows } = await database.query<{ state: string; count: number }>(
        'select state, count(*)::int as count from broker_dispatch_history where id = any ($1::uuid[]) group by state',
        [ids],
      );
      const gone = await database.query(`select from hub_replica where state = 'gone'`);

      expect(whileAway.status).toBe(503);
      expect(rows).toEqual([{ state: 'succeeded', count: ids.length }]);
      expect(gone.rowCount).toBe(0);
    } finally {
      await database.end();
    }
    for (const { caller, worker } of callers) {
      const own = new Set(caller.accepted);
      expect(worker?.begun.filter((id) => own.has(id))).toEqual(caller.accepted);
    }
    expect(await standby()).toBe('none');
    await Promise.all(workers.map((worker) => worker.stop()));
  }, 120_000);
});

function rotated<T>(list: readonly T[], by: number): T[] {
  return [...list.slice(by % list.length), ...list.slice(0, by % list.length)];
}
