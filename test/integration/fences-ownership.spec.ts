import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DirectConnection } from '../../src/hub/database/direct.js';
import { ReplicaRepository } from '../../src/hub/cluster/replica.repository.js';
import { ConnectionRepository } from '../../src/hub/registry/connection.repository.js';
import type { Hello } from '../../src/protocol/frame.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker, Rows } from './support/rows.js';

let bench: Bench;
let rows: Rows;

beforeAll(async () => {
  bench = await openBench();
  rows = bench.rows;
});

afterEach(async () => {
  await rows.sql.query('truncate broker_connection, hub_replica');
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

const connection = (brokerId: string) =>
  rows.one('select * from broker_connection where broker_id = $1', [brokerId]);

describe('a connect', () => {
  let broker: PlantedBroker;
  let replicaId: string;

  beforeEach(async () => {
    broker = await rows.broker();
    replicaId = await rows.replica();
  });

  const connect = (lastEpoch: number, at = replicaId, brokerId = broker.id) => {
    const hello: Hello = {
      t: 'hello',
      protocol: { min: 1, max: 1 },
      bootId: randomUUID(),
      journalId: randomUUID(),
      lastEpoch,
      software: 'test',
      capabilities: [],
      labels: {},
      window: 1,
      health: 'online',
    };
    return new ConnectionRepository(bench.database).connect(at, brokerId, randomUUID(), hello);
  };

  it.each([
    ['what is stored', 3, 6],
    ['what the broker saw last, of a database that was put back', 40, 41],
  ])('takes an epoch above %s', async (_what, seen, epoch) => {
    expect(await connect(seen)).toMatchObject({ epoch, former: { replicaId: broker.replicaId } });
    expect(await connection(broker.id)).toMatchObject({ replica_id: replicaId, epoch: String(epoch) });
  });

  it.each(['draining', 'gone'])('takes nothing for a replica that is %s', async (state) => {
    expect(await connect(0, await rows.replica({ state }))).toMatchObject({ epoch: null, revoked: false });
    expect(await connection(broker.id)).toMatchObject({ replica_id: broker.replicaId, epoch: '5' });
  });

  it('takes nothing for a broker that was revoked', async () => {
    await rows.sql.query('update broker set revoked_at = now() where id = $1', [broker.id]);

    expect(await connect(0)).toMatchObject({ epoch: null, revoked: true });
    expect(await connection(broker.id)).toMatchObject({ replica_id: broker.replicaId, epoch: '5' });
  });

  it('waits for the claims that have their turn', async () => {
    const { epoch } = await rows.meanwhile(
      'select pg_advisory_xact_lock_shared(hashtextextended($1::text, 1))',
      [broker.id],
      () => connect(0),
    );

    expect(epoch).toBe(6);
  });
});

describe('a release', () => {
  it('lets go of what the replica holds under that epoch', async () => {
    const { id, replicaId, epoch } = await rows.broker();

    await new ConnectionRepository(bench.database).release(replicaId, [
      { brokerId: id, epoch, reason: 'over', silenceMs: 40_000 },
    ]);

    const row = await connection(id);
    expect(row).toMatchObject({ replica_id: null, epoch: '5', release_reason: 'over' });
    expect(row.released_at - row.silent_since).toBe(40_000);
  });

  it.each<[string, (broker: PlantedBroker) => PlantedBroker]>([
    ['an old socket', (broker) => ({ ...broker, epoch: broker.epoch - 1 })],
    ['another replica', (broker) => ({ ...broker, replicaId: randomUUID() })],
  ])('by %s touches nothing', async (_who, as) => {
    const broker = await rows.broker();
    const { id, replicaId, epoch } = as(broker);

    await new ConnectionRepository(bench.database).release(replicaId, [
      { brokerId: id, epoch, reason: 'over', silenceMs: 0 },
    ]);

    expect(await connection(id)).toMatchObject({ replica_id: broker.replicaId, release_reason: null });
  });
});

describe('a replica', () => {
  const repository = () => new ReplicaRepository(bench.database);
  const replica = (id: string) => rows.one('select * from hub_replica where id = $1', [id]);
  const beat = (id: string) => repository().beat(bench.database as unknown as DirectConnection, id);

  it('that was declared gone beats no more, and takes no other state', async () => {
    const id = await rows.replica({ state: 'gone' });

    expect(await beat(id)).toBeUndefined();
    expect(await repository().setState(id, 'draining')).toBe(false);
    expect(await repository().activate(id, 'http://it')).toBe(false);
    expect(await replica(id)).toMatchObject({ state: 'gone' });
  });

  it('that drains is not made active again', async () => {
    const id = await rows.replica({ state: 'draining' });

    expect(await repository().activate(id, 'http://it')).toBe(false);
    expect(await replica(id)).toMatchObject({ state: 'draining' });
  });

  it.each([
    ['begins anew', 'after a gap', 10, 0],
    ['goes on', 'without one', 1, 60],
  ])('%s to be trusted as a judge %s', async (_what, _when, seenS, beatingS) => {
    const id = await rows.replica({ seenS });

    await beat(id);

    const { age } = await rows.one(
      'select extract(epoch from clock_timestamp() - beating_since)::float8 as age from hub_replica where id = $1',
      [id],
    );
    expect(Math.abs(age - beatingS)).toBeLessThan(10);
  });

  const bury = async (judge: string) => (await repository().buryDead(judge)).map(({ id }) => id);

  it('that is silent for 5 s is declared gone once, and one that is not is left alone', async () => {
    const judge = await rows.replica();
    const dead = await rows.replica({ seenS: 6 });
    const slow = await rows.replica({ seenS: 2 });

    expect(await bury(judge)).toEqual([dead]);
    expect(await bury(judge)).toEqual([]);
    expect([await replica(dead), await replica(slow)]).toMatchObject([
      { state: 'gone' },
      { state: 'active' },
    ]);
  });

  it.each<[string, object]>([
    ['is gone itself', { state: 'gone' }],
    ['has only just begun to beat', { beatingS: 1 }],
    ['has not beaten for 4 s', { seenS: 4.5 }],
  ])('is not declared gone by one that %s', async (_what, over) => {
    await rows.replica();
    const judge = await rows.replica(over);
    const dead = await rows.replica({ seenS: 10 });

    expect(await bury(judge)).toEqual([]);
    expect(await replica(dead)).toMatchObject({ state: 'active' });
  });

  it('that is gone, or was never there, loses its connections; one that is there keeps them', async () => {
    const owners = [await rows.replica({ state: 'gone' }), randomUUID(), await rows.replica()];
    const brokers: PlantedBroker[] = [];
    for (const owner of owners) {
      const broker = await rows.broker();
      await rows.sql.query('update broker_connection set replica_id = $2 where broker_id = $1', [
        broker.id,
        owner,
      ]);
      brokers.push(broker);
    }
    const ids = brokers.map(({ id }) => id);

    expect((await repository().releaseOrphans()).sort()).toEqual(ids.slice(0, 2).sort());
    // What was let go of is not let go of again: the time of the first counts.
    expect(await repository().releaseOrphans()).toEqual([]);
    expect(await connection(ids[0]!)).toMatchObject({ replica_id: null, epoch: '5' });
    expect(await connection(ids[2]!)).toMatchObject({ replica_id: owners[2] });
  });

  it('does not wait for a connection that somebody is at', async () => {
    const { id } = await rows.broker();

    const released = await rows.besides(
      'select from broker_connection where broker_id = $1 for update',
      [id],
      () => repository().releaseOrphans(),
    );

    expect(released).toEqual([]);
  });

  it.each<[string, object]>([
    ['drains', { state: 'draining' }],
    ['is silent', { seenS: 6 }],
    ['is gone', { state: 'gone' }],
  ])('that %s is nobody to move to', async (_what, over) => {
    const id = await rows.replica();
    await rows.replica(over);

    expect(await repository().publicUrls(id)).toEqual([]);
    expect(await repository().hasPeers(id)).toBe(false);
  });

  it('knows its live peers, and is not its own', async () => {
    const [id, peer] = [await rows.replica(), await rows.replica()];

    expect(await repository().publicUrls(id)).toEqual([`http://${peer}`]);
    expect(await repository().hasPeers(id)).toBe(true);
  });

  it('is forgotten 30 days after it ended, and not sooner', async () => {
    const [old, young] = [await rows.replica({ state: 'gone' }), await rows.replica({ state: 'gone' })];
    await rows.sql.query(
      `update hub_replica set ended_at = now() - case when id = $1 then interval '31 days' else interval '29 days' end`,
      [old],
    );

    await repository().forgetOld();

    expect([await replica(old), await replica(young)]).toMatchObject([undefined, { id: young }]);
  });
});
