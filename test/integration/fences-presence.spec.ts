import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { PresenceRepository, type Sighting } from '../../src/hub/heartbeat/presence.repository.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker, Rows } from './support/rows.js';

let bench: Bench;
let rows: Rows;
let repository: PresenceRepository;

beforeAll(async () => {
  bench = await openBench();
  rows = bench.rows;
  repository = new PresenceRepository(bench.database);
});

afterEach(async () => {
  await rows.sql.query('truncate broker_connection, broker_presence, hub_replica');
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

const read = (id: string) =>
  rows.one(
    `select state, epoch::int, load, running, extract(epoch from now() - last_seen_at)::float8 as "seenS",
            extract(epoch from now() - changed_at)::float8 as "changedS"
     from broker_presence where broker_id = $1`,
    [id],
  );

const sighting = ({ id: brokerId, epoch }: PlantedBroker, over: Partial<Sighting> = {}): Sighting => ({
  brokerId,
  epoch,
  state: 'online',
  load: null,
  running: 0,
  silenceMs: 0,
  ...over,
});

const plant = ({ id }: PlantedBroker, over: object = {}) =>
  rows.insert('broker_presence', { broker_id: id, state: 'online', epoch: 5, ...over });

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000);

const letGo = ({ id }: PlantedBroker, over: { releasedS?: number; silentS?: number; sinceS?: number } = {}) =>
  rows.sql.query(
    `update broker_connection
     set replica_id = null, released_at = now() - make_interval(secs => $2),
         silent_since = now() - make_interval(secs => $3), since = now() - make_interval(secs => $4)
     where broker_id = $1`,
    [id, over.releasedS ?? 0, over.silentS ?? null, over.sinceS ?? 600],
  );

describe('a word of a link', () => {
  it('is taken, under its epoch', async () => {
    const broker = await rows.broker();

    const taken = await repository.change([sighting(broker, { running: 3, load: 0.5 })]);

    expect(taken).toEqual([{ brokerId: broker.id, epoch: 5, was: null, state: 'online' }]);
    expect(await read(broker.id)).toMatchObject({ state: 'online', epoch: 5, running: 3, load: 0.5 });
  });

  it.each([-1, 1])('changes nothing under another epoch (%i)', async (off) => {
    const broker = await rows.broker();
    await plant(broker);

    const word = sighting(broker, { epoch: broker.epoch + off, state: 'offline' });

    expect(await repository.change([word])).toEqual([]);
    expect(await read(broker.id)).toMatchObject({ state: 'online', epoch: 5 });
  });

  it.each([
    ['lifts nobody', 'online', 'unreachable'],
    ['may still say goodbye', 'offline', 'offline'],
  ] as const)('that was let go of %s', async (_what, state, after) => {
    const broker = await rows.broker();
    await plant(broker, { state: 'unreachable' });
    await letGo(broker);

    await repository.change([sighting(broker, { state })]);

    expect(await read(broker.id)).toMatchObject({ state: after });
  });

  it('waits for the next link that is being made, and changes nothing then', async () => {
    const broker = await rows.broker();
    await plant(broker);

    const taken = await rows.meanwhile(
      'update broker_connection set epoch = 6 where broker_id = $1',
      [broker.id],
      () => repository.change([sighting(broker, { state: 'degraded' })]),
    );

    expect(taken).toEqual([]);
    expect(await read(broker.id)).toMatchObject({ state: 'online' });
  });

  it('lifts straight to online', async () => {
    const broker = await rows.broker();
    await plant(broker, { state: 'unreachable', epoch: 4 });

    expect(await repository.change([sighting(broker)])).toMatchObject([
      { was: 'unreachable', state: 'online' },
    ]);
    expect(await read(broker.id)).toMatchObject({ epoch: 5 });
  });

  it('leaves the time of a state that stays, and never takes back when the broker was seen', async () => {
    const broker = await rows.broker();
    await plant(broker, { changed_at: ago(900), last_seen_at: ago(10) });

    await repository.change([sighting(broker, { silenceMs: 40_000 })]);

    const { seenS, changedS } = await read(broker.id);
    expect(seenS).toBeLessThan(30);
    expect(changedS).toBeGreaterThan(800);
  });
});

describe('a quiet beat', () => {
  it('is noted with what may change in a state that stays', async () => {
    const broker = await rows.broker();
    await plant(broker, { changed_at: ago(900), last_seen_at: ago(60) });

    const noted = await repository.note([sighting(broker, { running: 2, load: 0.1, silenceMs: 10_000 })]);

    const { seenS, changedS, ...row } = await read(broker.id);
    expect(noted).toEqual([broker.id]);
    expect(row).toEqual({ state: 'online', epoch: 5, running: 2, load: 0.1 });
    expect([seenS > 9, seenS < 30, changedS > 800]).toEqual([true, true, true]);
  });

  it.each<[string, Partial<Sighting>]>([
    ['of an old link', { epoch: 4 }],
    ['where the row says something else', { state: 'degraded' }],
  ])('%s is not', async (_which, over) => {
    const broker = await rows.broker();
    await plant(broker);

    expect(await repository.note([sighting(broker, { running: 7, ...over })])).toEqual([]);
    expect(await read(broker.id)).toMatchObject({ state: 'online', running: 0 });
  });

  it('never takes back when the broker was seen', async () => {
    const broker = await rows.broker();
    await plant(broker, { last_seen_at: ago(5) });

    await repository.note([sighting(broker, { silenceMs: 50_000 })]);

    expect((await read(broker.id)).seenS).toBeLessThan(30);
  });
});

describe('the sweep', () => {
  const sweep = () => repository.demoteUnowned();
  const after = async (id: string): Promise<string> => (await read(id)).state;

  it.each([
    ['online', 20, 'online'],
    ['online', 40, 'degraded'],
    ['online', 70, 'unreachable'],
    ['degraded', 70, 'unreachable'],
    ['offline', 70, 'offline'],
    ['unreachable', 40, 'unreachable'],
  ])('takes what was %s and silent for %d s to %s', async (state, silentS, result) => {
    await rows.replica({ beatingS: 600 });
    const broker = await rows.broker();
    await plant(broker, { state });
    await letGo(broker, { silentS });

    await sweep();

    expect(await after(broker.id)).toBe(result);
  });

  it.each<[string, { releasedS: number; silentS?: number; sinceS?: number }, string]>([
    ['where the replica died that held it', { releasedS: 40 }, 'degraded'],
    ['where the silence told is of an earlier link', { releasedS: 10, silentS: 700 }, 'online'],
  ])('counts from the release %s', async (_where, over, result) => {
    await rows.replica({ beatingS: 600 });
    const broker = await rows.broker();
    await plant(broker);
    await letGo(broker, over);

    await sweep();

    expect(await after(broker.id)).toBe(result);
  });

  it.each([
    [20, 'online'],
    [40, 'degraded'],
    [70, 'unreachable'],
  ])('leaves everyone a full window after an outage that ended %d s ago', async (beatingS, result) => {
    await rows.replica({ beatingS });
    const broker = await rows.broker();
    await plant(broker);
    await letGo(broker, { silentS: 400 });

    await sweep();

    expect(await after(broker.id)).toBe(result);
  });

  it('counts from the first of the replicas that have served without a gap', async () => {
    await rows.replica({ beatingS: 600 });
    await rows.replica({ beatingS: 5 });
    const broker = await rows.broker();
    await plant(broker);
    await letGo(broker, { silentS: 70 });

    await sweep();

    expect(await after(broker.id)).toBe('unreachable');
  });

  it.each<[string, object]>([
    ['drains', { state: 'draining', beatingS: 600 }],
    ['is silent itself', { seenS: 5, beatingS: 600 }],
  ])('judges nobody while the one replica there is %s', async (_how, replica) => {
    await rows.replica(replica);
    const broker = await rows.broker();
    await plant(broker);
    await letGo(broker, { silentS: 70 });

    expect(await sweep()).toEqual([]);
  });

  describe('of a broker that was silent for long', () => {
    const silent = async (): Promise<PlantedBroker> => {
      await rows.replica({ beatingS: 600 });
      const broker = await rows.broker();
      await plant(broker);
      await letGo(broker, { releasedS: 70, silentS: 70 });
      return broker;
    };

    it('tells what it was and what it is, once', async () => {
      const { id: brokerId } = await silent();

      expect(await sweep()).toEqual([{ brokerId, epoch: 5, was: 'online', state: 'unreachable' }]);
      expect(await sweep()).toEqual([]);
    });

    it('writes nothing where it is as it was', async () => {
      const { id } = await silent();
      await rows.sql.query(
        `update broker_connection set silent_since = now() - interval '40 seconds' where broker_id = $1`,
        [id],
      );
      await rows.sql.query(`update broker_presence set state = 'degraded' where broker_id = $1`, [id]);

      expect(await sweep()).toEqual([]);
    });

    it('finds nothing to do while a replica holds it', async () => {
      const { id, replicaId } = await silent();
      await rows.sql.query('update broker_connection set replica_id = $2 where broker_id = $1', [
        id,
        replicaId,
      ]);

      expect(await sweep()).toEqual([]);
    });

    it('is done by one replica at a time', async () => {
      await silent();

      const duty = `select pg_advisory_xact_lock(hashtextextended('duty presence sweep', 3))`;

      expect(await rows.besides(duty, [], sweep)).toEqual([]);
    });

    it.each([
      ['its next link is being made', 'update broker_connection set epoch = 6, replica_id = broker_id'],
      ['its presence is being written', 'update broker_presence set running = 1'],
    ])('leaves it alone while %s', async (_what, change) => {
      const { id } = await silent();

      expect(await rows.besides(`${change} where broker_id = $1`, [id], sweep)).toEqual([]);
    });
  });
});
