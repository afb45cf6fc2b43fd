import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DirectConnection } from '../../src/hub/database/direct.js';
import { ReplicaRepository } from '../../src/hub/cluster/replica.repository.js';
import { ConnectRepository } from '../../src/hub/registry/connect.repository.js';
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
  await rows.sql.query('truncate broker_connection, broker_stay, hub_replica');
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

const connection = (brokerId: string) =>
  rows.one('select * from broker_connection where broker_id = $1', [brokerId]);

const brokerRow = (brokerId: string) => rows.one('select * from broker where id = $1', [brokerId]);

describe('new capabilities', () => {
  let broker: PlantedBroker;

  beforeEach(async () => {
    broker = await rows.broker({ capabilities: '["a"]', capabilities_revision: 7 });
  });

  const replace = (revision: number, epoch = broker.epoch) =>
    new ConnectionRepository(bench.database).replaceCapabilities(broker.id, epoch, {
      revision,
      capabilities: ['b'],
    });

  it('take the place of all that there were, under a greater revision', async () => {
    expect(await replace(9)).toEqual({ isTaken: true, stored: 9 });
    expect(await brokerRow(broker.id)).toMatchObject({ capabilities: ['b'], capabilities_revision: '9' });
  });

  it.each([6, 7])('change nothing under revision %d, which is not above the stored one', async (revision) => {
    expect(await replace(revision)).toEqual({ isTaken: false, stored: 7 });
    expect(await brokerRow(broker.id)).toMatchObject({ capabilities: ['a'], capabilities_revision: '7' });
  });

  it.each([-1, 1])('change nothing under an epoch that is off by %d', async (off) => {
    expect(await replace(9, broker.epoch + off)).toEqual({ isTaken: false, stored: 7 });
    expect(await brokerRow(broker.id)).toMatchObject({ capabilities: ['a'] });
  });
});

const displaced = () => Promise.resolve();

describe('a connect', () => {
  let broker: PlantedBroker;
  let replicaId: string;

  beforeEach(async () => {
    broker = await rows.broker();
    replicaId = await rows.replica();
  });

  const connect = (
    lastEpoch: number,
    at = replicaId,
    brokerId = broker.id,
    bootId: string = randomUUID(),
  ) => {
    const hello: Hello = {
      t: 'hello',
      protocol: { min: 1, max: 1 },
      bootId,
      journalId: randomUUID(),
      lastEpoch,
      software: 'test',
      capabilities: [],
      labels: {},
      window: 1,
      health: 'online',
    };
    const coming = {
      brokerId,
      connectionId: randomUUID(),
      hello,
      transport: 'websocket',
      displaced,
    } as const;
    return new ConnectRepository(bench.database).connect(at, coming);
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

  it('takes nothing for a broker that is being revoked', async () => {
    const revoked = 'update broker set revoked_at = now() where id = $1';

    expect(await rows.meanwhile(revoked, [broker.id], () => connect(0))).toMatchObject({
      epoch: null,
      revoked: true,
    });
  });

  it('leaves an attachment as it is that is being taken off', async () => {
    const attached = { id: randomUUID(), project_id: randomUUID(), broker_id: broker.id };
    const by = randomUUID();
    await rows.insert('project', { id: attached.project_id, name: `p-${by}`, created_by: by });
    await rows.insert('broker_attachment', {
      ...attached,
      state: 'offline',
      is_exclusive: false,
      attached_by: by,
    });

    const { attachments } = await rows.meanwhile(
      'update broker_attachment set detached_at = now() where id = $1',
      [attached.id],
      () => connect(0),
    );

    expect(attachments).toEqual([]);
    expect(await rows.one('select state from broker_attachment where id = $1', [attached.id])).toEqual({
      state: 'offline',
    });
  });

  const stayReasons = async () => (await rows.stays(broker.id)).map(({ end_reason: reason }) => reason);

  it('ends the stay of the epoch before it where its own begins, and no other', async () => {
    const before = new Date(Date.now() - 7_200_000);
    await rows.stay({ ...broker, epoch: 4 }, { began_at: before });

    await connect(0);

    const [older, ended, begun] = await rows.stays(broker.id);
    expect(older).toMatchObject({ began_at: before, ended_at: null });
    expect(ended).toMatchObject({ epoch: '5', ended_at: begun.began_at, end_reason: 'another_instance' });
    expect(begun).toMatchObject({ epoch: '6', replica_id: replicaId, ended_at: null, end_reason: null });
  });

  it('leaves a stay as it is that was over', async () => {
    const { id: brokerId, replicaId: holder, epoch } = broker;
    await new ConnectionRepository(bench.database).release(holder, [
      { brokerId, epoch, reason: 'over', silenceMs: 0 },
    ]);
    const [over] = await rows.stays(brokerId);

    await connect(0);

    expect((await rows.stays(brokerId))[0]).toEqual(over);
  });

  it('tells by the boot id whether it was the broker itself that took its place', async () => {
    const boot = randomUUID();
    await connect(0, replicaId, broker.id, boot);
    await connect(0, replicaId, broker.id, boot);

    expect(await stayReasons()).toEqual(['another_instance', 'newer_connection', null]);
  });

  describe('that displaces another instance', () => {
    const flaggedAt = async () =>
      (
        await rows.sql.query(
          'select flagged_at is not null as flagged from broker_key where broker_id = $1 order by retired_at nulls first',
          [broker.id],
        )
      ).rows.map(({ flagged }) => flagged);

    beforeEach(async () => {
      const key = { broker_id: broker.id, public_key: randomUUID() };
      await rows.insert('broker_key', { id: randomUUID(), ...key });
      await rows.insert('broker_key', {
        id: randomUUID(),
        ...key,
        public_key: randomUUID(),
        retired_at: new Date(),
      });
    });

    it('flags the key that it has, the third time in a minute', async () => {
      const flags = [];
      for (let time = 0; time < 3; time += 1) flags.push((await connect(0)).flagged);

      expect(flags).toEqual([false, false, true]);
      expect(await flaggedAt()).toEqual([true, false]);
      expect(
        (await rows.one('select displaced_at from broker where id = $1', [broker.id])).displaced_at,
      ).not.toBe(null);
    });

    it('flags nothing for the connections of one instance', async () => {
      const boot = randomUUID();
      const byItself = () => connect(0, replicaId, broker.id, boot);
      for (let time = 0; time < 4; time += 1) expect((await byItself()).flagged).toBe(false);
      expect((await connect(0)).flagged).toBe(false);
      expect((await byItself()).flagged).toBe(true);

      expect((await byItself()).flagged).toBe(false);
    });

    it('flags nothing for what is longer ago than a minute', async () => {
      await connect(0);
      await connect(0);
      await rows.sql.query(`update broker_stay set ended_at = ended_at - interval '70 seconds'`);

      expect((await connect(0)).flagged).toBe(false);
      expect(await flaggedAt()).toEqual([false, false]);
    });
  });

  it('takes a revision for the capabilities that it tells', async () => {
    const before = Number((await brokerRow(broker.id)).capabilities_revision);

    expect(await connect(0)).toMatchObject({ revision: before + 1 });
    expect(await brokerRow(broker.id)).toMatchObject({
      capabilities: [],
      capabilities_revision: String(before + 1),
    });
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

  it('ends the stay of that epoch, and no other', async () => {
    const broker = await rows.broker();
    const { id, replicaId, epoch } = broker;
    await rows.stay({ ...broker, epoch: 4 });

    await new ConnectionRepository(bench.database).release(replicaId, [
      { brokerId: id, epoch, reason: 'over', silenceMs: 0 },
    ]);

    expect(await rows.stays(id)).toMatchObject([
      { epoch: '4', end_reason: null },
      { epoch: '5', ended_at: expect.any(Date), end_reason: 'over' },
    ]);
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

  it('is entered once, however often it is told to, and keeps what it has become', async () => {
    const repository = new ReplicaRepository(bench.database);
    const id = randomUUID();
    const row = {
      id,
      name: 'twice',
      sessionName: id,
      publicUrl: null,
      internalUrl: null,
      software: 'planted',
      protocol: { min: 1, max: 1 },
      state: 'starting' as const,
    };

    await repository.enter(row);
    await repository.activate(id, 'http://twice');
    await repository.enter(row);

    const { rows: found } = await rows.sql.query('select state from hub_replica where id = $1', [id]);
    expect(found).toEqual([{ state: 'active' }]);
  });

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
      await rows.stay({ ...broker, epoch: 4 });
      brokers.push(broker);
    }
    const ids = brokers.map(({ id }) => id);

    expect((await repository().releaseOrphans()).sort()).toEqual(ids.slice(0, 2).sort());
    // What was let go of is not let go of again: the time of the first counts.
    expect(await repository().releaseOrphans()).toEqual([]);
    expect(await connection(ids[0]!)).toMatchObject({ replica_id: null, epoch: '5' });
    expect(await rows.stays(ids[0]!)).toMatchObject([
      { epoch: '4', end_reason: null },
      { epoch: '5', end_reason: 'replica_gone' },
    ]);
    expect(await rows.stays(ids[2]!)).toMatchObject([{ end_reason: null }, { end_reason: null }]);
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
