import { setTimeout as rest } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { BrokerProcess } from '../support/broker-process.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';

const BROKERS = 4;
/** Of three replicas, whose addresses are all that brokers without a balancer know: one of them must stay. */
const KILLS = 2;
/** Within this long of the death of its owner a broker with a standby is owned again. */
const OWNED_AGAIN_MS = 1_000;

describe('brokers that hold a second link ready', () => {
  let cluster: Cluster;
  let database: pg.Client;
  let brokers: BrokerProcess[];

  beforeAll(async () => {
    cluster = await Cluster.start(3);
    database = new pg.Client(cluster.database.url);
    await database.connect();
    brokers = await Promise.all(
      Array.from({ length: BROKERS }, (_, place) =>
        BrokerProcess.join(cluster.api(0), cluster.hub(place % 3).url, `standby-${place}`),
      ),
    );
    await Promise.all(brokers.map((broker) => broker.start(cluster.api(0), {}, ['--standby'])));
  }, 180_000);

  afterAll(async () => {
    await Promise.all(brokers.map((broker) => broker.remove()));
    await database.end();
    await cluster.stop();
  });

  /** The stays that are open, of each broker the one. */
  const owners = async () =>
    (
      await database.query<{ id: string; replica: string; beganAt: Date }>(
        `select broker_id as id, replica_id as replica, began_at as "beganAt" from broker_stay where ended_at is null`,
      )
    ).rows;

  it('are owned again within a second of the SIGKILL of their owner, and what they are asked for is done once', async () => {
    const gapsMs: number[] = [];
    let live = [...cluster.hubs];
    for (let kill = 0; kill < KILLS; kill += 1) {
      // Until all that lost it have found another place for it.
      await rest(4_000);
      const { before, victim } = await eventually(
        async () => {
          const rows = await owners();
          const owner = live.find(({ replicaId }) => rows.some(({ replica }) => replica === replicaId));
          return rows.length === BROKERS && owner !== undefined ? { before: rows, victim: owner } : undefined;
        },
        { withinMs: 20_000 },
      );
      live = live.filter((hub) => hub !== victim);
      const orphans = before.filter(({ replica }) => replica === victim.replicaId).map(({ id }) => id);
      const api = cluster.api(0).at(live[0]?.url ?? '');
      const killedAt = Date.now();
      await victim.kill();

      const answers = await Promise.all(
        brokers.map(({ name }) => api.ping(name, { orderingKey: null, waitS: 20 })),
      );
      const after = await eventually(
        async () => {
          const rows = (await owners()).filter(({ id }) => orphans.includes(id));
          const isBack = rows.every(({ replica }) => replica !== victim.replicaId);
          return rows.length === orphans.length && isBack ? rows : undefined;
        },
        { withinMs: 20_000 },
      );

      gapsMs.push(...after.map(({ beganAt }) => beganAt.getTime() - killedAt));
      for (const { body } of answers) {
        expect(body.dispatch).toMatchObject({ state: 'succeeded', attempt: 1 });
      }
      live = [...live, await cluster.addReplica()];
    }

    // The middle one: a machine that others use stands still now and then.
    const [middle] = gapsMs.sort((a, b) => a - b).slice(Math.floor(gapsMs.length / 2));
    expect(middle).toBeLessThan(OWNED_AGAIN_MS);
    expect(gapsMs.length).toBeGreaterThanOrEqual(KILLS);
  }, 180_000);
});
