import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ConnectionRepository } from '../../src/hub/registry/connection.repository.js';
import { StayRepository } from '../../src/hub/registry/stay.repository.js';
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
  await rows.sql.query('truncate broker_connection, broker_stay');
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

const connection = (brokerId: string) =>
  rows.one('select * from broker_connection where broker_id = $1', [brokerId]);

describe('a connection that is taken away', () => {
  const takeAway = async (id: string) =>
    (await new ConnectionRepository(bench.database).takeAway(id, 'kicked', () => Promise.resolve())).former;

  it("is nobody's, and its stay ends with the reason", async () => {
    const broker = await rows.broker();
    await rows.stay({ ...broker, epoch: 4 });

    const former = await takeAway(broker.id);

    expect(former).toEqual({ replicaId: broker.replicaId, epoch: 5 });
    expect(await connection(broker.id)).toMatchObject({
      replica_id: null,
      epoch: '5',
      release_reason: 'kicked',
    });
    expect(await rows.stays(broker.id)).toMatchObject([
      { epoch: '4', end_reason: null },
      { epoch: '5', end_reason: 'kicked' },
    ]);
    expect(await takeAway(broker.id)).toBeUndefined();
  });

  it('is not ended again where its release was on its way', async () => {
    const broker = await rows.broker();

    const former = await rows.meanwhile(
      `with released as (
         update broker_connection set replica_id = null, release_reason = 'over' where broker_id = $1
       )
       update broker_stay set ended_at = now(), end_reason = 'over' where broker_id = $1`,
      [broker.id],
      () => takeAway(broker.id),
    );

    expect(former).toBeUndefined();
    expect(await rows.stays(broker.id)).toMatchObject([{ end_reason: 'over' }]);
  });

  it('is found by its link, and so is one that another replica has; those as they are held are not', async () => {
    const [taken, moved, held] = [await rows.broker(), await rows.broker(), await rows.broker()];
    await takeAway(taken.id);
    await rows.sql.query('update broker_connection set replica_id = $2 where broker_id = $1', [
      held.id,
      moved.replicaId,
    ]);
    await rows.sql.query('update broker_connection set epoch = 6 where broker_id = $1', [moved.id]);
    const links = [taken, moved, held].map(({ id, epoch }) => ({ brokerId: id, epoch }));

    const found = await new ConnectionRepository(bench.database).strangers(moved.replicaId, links);

    expect(found).toEqual([
      expect.objectContaining({ brokerId: taken.id, replicaId: null, epoch: 5, releaseReason: 'kicked' }),
      expect.objectContaining({ brokerId: moved.id, epoch: 6, isRevoked: false }),
    ]);
  });
});

describe('a connection that its replica has no link of', () => {
  const age = (brokerId: string, seconds: number) =>
    rows.sql.query(
      'update broker_connection set since = now() - make_interval(secs => $2) where broker_id = $1',
      [brokerId, seconds],
    );

  it('is found once it is older than a connect can be, and none that is linked, young, or held elsewhere', async () => {
    const planted: PlantedBroker[] = [];
    while (planted.length < 6) planted.push(await rows.broker());
    const [linked, stale, lost, young, elsewhere, free] = planted;
    const { replicaId } = linked!;
    const here = [linked!, stale!, lost!, young!, free!].map(({ id }) => id);
    await rows.sql.query('update broker_connection set replica_id = $1 where broker_id = any ($2)', [
      replicaId,
      here,
    ]);
    await rows.sql.query('update broker_connection set replica_id = null where broker_id = $1', [free!.id]);
    for (const { id } of [linked!, stale!, lost!, elsewhere!, free!]) await age(id, 31);
    await age(young!.id, 29);
    const links = [
      { brokerId: linked!.id, epoch: 5 },
      { brokerId: stale!.id, epoch: 4 },
    ];

    const found = await new ConnectionRepository(bench.database).unlinked(replicaId, links);

    const ids = found.map(({ brokerId, epoch }) => [brokerId, epoch]).sort();
    expect(ids).toEqual(
      [
        [stale!.id, 5],
        [lost!.id, 5],
      ].sort(),
    );
    for (const { silenceMs } of found) expect(silenceMs).toBeGreaterThanOrEqual(31_000);
  });
});

describe('a stay', () => {
  const repository = () => new StayRepository(bench.database);
  const HOUR_MS = 3_600_000;

  it('is found by a moment that it lies in', async () => {
    const broker = await rows.broker();
    const at = (hours: number) => new Date(Date.UTC(2026, 0, 1) + hours * HOUR_MS);
    const epochAt = async (hours: number) => (await repository().at(broker.id, at(hours)))[0]?.epoch;
    for (const epoch of [1, 2, 3]) {
      // The third begins an hour after the second has ended.
      const began = at(epoch === 3 ? 4 : epoch);
      await rows.stay({ ...broker, epoch }, { began_at: began, ended_at: at(epoch === 3 ? 5 : epoch + 1) });
    }

    expect([
      await epochAt(0.5),
      await epochAt(1),
      await epochAt(2),
      await epochAt(3.5),
      await epochAt(4),
    ]).toEqual([undefined, 1, 2, undefined, 3]);
    expect((await repository().list(broker.id, null, 2)).map(({ epoch }) => epoch)).toEqual([5, 3]);
    const [, second] = await repository().list(broker.id, null, 2);
    expect((await repository().list(broker.id, second!.id, 9)).map(({ epoch }) => epoch)).toEqual([2, 1]);
  });

  it('that nobody has ended is ended where the broker has moved or was let go of, and nowhere else', async () => {
    const [moved, released, held] = [await rows.broker(), await rows.broker(), await rows.broker()];
    await rows.stay({ ...held, epoch: 4 }, { ended_at: new Date(), end_reason: 'over' });
    const change = (columns: string, id: string) =>
      rows.sql.query(`update broker_connection set ${columns} where broker_id = $1`, [id]);
    await change(`epoch = 6, since = '2026-01-02T00:00:00Z'`, moved.id);
    await change(`replica_id = null, released_at = '2026-01-03T00:00:00Z'`, released.id);

    expect(await repository().endLeft()).toBe(2);

    const left = { end_reason: 'not_told' };
    expect(await rows.stays(moved.id)).toMatchObject([
      { ...left, ended_at: new Date('2026-01-02T00:00:00Z') },
    ]);
    expect(await rows.stays(released.id)).toMatchObject([
      { ...left, ended_at: new Date('2026-01-03T00:00:00Z') },
    ]);
    expect(await rows.stays(held.id)).toMatchObject([{ end_reason: 'over' }, { ended_at: null }]);
  });

  it('is forgotten 30 days after it ended, a batch at a time, and not sooner', async () => {
    const broker = await rows.broker();
    const ago = (days: number) => new Date(Date.now() - days * 24 * HOUR_MS);
    for (const [epoch, days] of [31, 32, 29].entries()) {
      await rows.stay({ ...broker, epoch }, { began_at: ago(40), ended_at: ago(days) });
    }

    const counts = [await repository().forgetOld(1), await repository().forgetOld(9)];

    expect(counts).toEqual([1, 1]);
    expect((await rows.stays(broker.id)).map(({ epoch }) => epoch)).toEqual(['2', '5']);
  });

  it('that somebody is at is not waited for', async () => {
    const broker = await rows.broker();
    const long = new Date(Date.now() - 40 * 24 * HOUR_MS);
    await rows.stay({ ...broker, epoch: 1 }, { began_at: long, ended_at: long });

    const forgotten = await rows.besides(
      'select from broker_stay where broker_id = $1 for update',
      [broker.id],
      () => repository().forgetOld(9),
    );

    expect(forgotten).toBe(0);
  });
});
