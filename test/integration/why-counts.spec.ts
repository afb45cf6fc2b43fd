import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { causeOf } from '../../src/hub/dispatch/why.js';
import { WhyRepository } from '../../src/hub/dispatch/why.repository.js';
import { expectNoLeaks } from '../support/leaks.js';
import { explaining } from './support/explaining.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker, Rows } from './support/rows.js';

const COUNTED_MOST = 100;

let bench: Bench;
let rows: Rows;
let repository: WhyRepository;
let broker: PlantedBroker;

beforeAll(async () => {
  bench = await openBench();
  rows = bench.rows;
  repository = new WhyRepository(bench.database);
});

beforeEach(async () => {
  broker = await rows.broker();
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

/** Pending copies of a command, behind it. */
async function queue(id: string, count: number): Promise<string[]> {
  const { rows: copies } = await rows.sql.query<{ id: string }>(
    `insert into broker_dispatch
       (id, broker_id, op, args, lane, ordering_key, state, deadline_at, origin_replica, initiator, trail)
     select gen_random_uuid(), broker_id, op, args, lane, ordering_key, 'pending', deadline_at, origin_replica, initiator, trail
     from broker_dispatch, generate_series(1, $2) where id = $1
     returning id, seq`,
    [id, count],
  );
  return copies.map((copy) => copy.id);
}

const toldOf = async (...ids: string[]) => {
  const told = new Map((await repository.read(ids)).map((about) => [about.id, about]));
  return ids.map((id) => told.get(id)!);
};

/** Its inventory was taken: it is sent what nothing else keeps. */
const makeReady = () =>
  rows.insert('broker_dispatch_floor', { broker_id: broker.id, seq: 0, ready_epoch: broker.epoch });

/** How many commands of the broker are read to count them. */
async function readFor(...ids: string[]): Promise<number> {
  let plan: string[] = [];
  const database = explaining(bench.database, 'costs off, timing off, summary off', (lines) => {
    plan = lines.map(String);
  });
  await new WhyRepository(database).read(ids);
  const scans = plan.filter((line) => line.includes('using broker_dispatch_in_order on'));
  expect(scans).toHaveLength(2);
  return scans.reduce((sum, line) => sum + Number(/rows=(\d+)/.exec(line)?.[1] ?? 0), 0);
}

describe('what is counted of a broker for a command that waits', () => {
  it('is what is alive before it, each counted for itself where many are asked for at once', async () => {
    const first = await rows.dispatch(broker);
    const ended = await rows.dispatch(broker);
    const [second, third] = await queue(first, 2);
    await rows.sql.query('delete from broker_dispatch where id = $1', [ended]);
    const elsewhere = await rows.dispatch(await rows.broker());

    const told = await toldOf(third!, elsewhere, second!, first);

    expect(told.map(({ position }) => position)).toEqual([2, 0, 1, 0]);
  });

  it('is no more than a hundred, however much is before it', async () => {
    const first = await rows.dispatch(broker);
    const behind = await queue(first, COUNTED_MOST + 3);

    const told = await toldOf(behind[COUNTED_MOST - 2]!, behind[COUNTED_MOST - 1]!, behind.at(-1)!);

    expect(told.map(({ position }) => position)).toEqual([COUNTED_MOST - 1, COUNTED_MOST, COUNTED_MOST]);
  });

  it('is one more than the window of the broker takes, where that is larger', async () => {
    const first = await rows.dispatch(broker, { state: 'claimed' });
    await rows.sql.query('update broker_connection set window_size = 150 where broker_id = $1', [broker.id]);
    const behind = await queue(first, 160);

    const [told] = await toldOf(behind.at(-1)!);

    expect(told).toMatchObject({ position: 151, unacked: 1 });
  });

  it('is what is claimed and not acked behind more than a hundred that run', async () => {
    await makeReady();
    for (let n = 0; n < COUNTED_MOST + 10; n += 1) await rows.dispatch(broker, { state: 'running' });
    for (let n = 0; n < 64; n += 1) await rows.dispatch(broker, { state: 'claimed' });
    const pending = await rows.dispatch(broker);

    const [told] = await toldOf(pending);

    // Each has arguments of no fields.
    expect(told).toMatchObject({ position: COUNTED_MOST, unacked: 64, unackedBytes: 64 * 5, argsBytes: 5 });
  });

  it('is what is claimed and not acked beyond more than a hundred that wait behind a long one', async () => {
    await makeReady();
    await rows.sql.query('update broker_connection set window_size = 64 where broker_id = $1', [broker.id]);
    const long = await rows.dispatch(broker, { state: 'running', ordering_key: broker.id });
    const [held] = await queue(long, COUNTED_MOST + 10);
    for (let n = 0; n < 64; n += 1) await rows.dispatch(broker, { state: 'claimed' });
    const pending = await rows.dispatch(broker);

    const [told, behindLong] = await toldOf(pending, held!);

    expect(told).toMatchObject({ position: COUNTED_MOST, unacked: 64 });
    expect([causeOf(told!), causeOf(behindLong!)]).toEqual(['window_full', 'held_by_order']);
  });

  it('is what is claimed and not acked, before and behind it', async () => {
    await rows.dispatch(broker, { state: 'claimed' });
    const pending = await rows.dispatch(broker);
    await rows.dispatch(broker, { state: 'claimed' });
    await rows.dispatch(broker, { state: 'running' });

    const [told] = await toldOf(pending);

    expect(told).toMatchObject({ position: 1, unacked: 2 });
  });
});

describe('what waits behind the first commands of a broker', () => {
  const BEHIND = 300;
  let long: string;
  /** Wait behind the long one. */
  let held: string[];
  let free: string;

  beforeEach(async () => {
    long = await rows.dispatch(broker, { state: 'running', ordering_key: broker.id });
    held = await queue(long, BEHIND);
    free = await rows.dispatch(broker);
  });

  it('is read for a command that may go out, or was claimed', async () => {
    await makeReady();
    const claimed = await rows.dispatch(broker, { state: 'claimed' });

    expect(await readFor(free)).toBe(BEHIND + 3);
    expect(await readFor(claimed)).toBe(BEHIND + 3);
    expect(await readFor(held[0]!, free)).toBe(BEHIND + 3);
  });

  it('is not read for one that waits behind another, rests, is given up, or has begun', async () => {
    await makeReady();
    const resting = await rows.dispatch(broker, { retry_at: new Date(Date.now() + 60_000) });
    const later = await rows.dispatch(broker, { not_before: new Date(Date.now() + 60_000) });
    const givenUp = await rows.dispatch(broker, { cancel_requested_at: new Date() });

    expect(await readFor(long, ...held, resting, later, givenUp)).toBe(COUNTED_MOST);
  });

  it('is not read where the window is full already', async () => {
    await makeReady();
    await rows.sql.query('update broker_connection set window_size = 10 where broker_id = $1', [broker.id]);
    await rows.sql.query(
      `update broker_dispatch
       set state = 'claimed', attempt = 1, claimed_by = $2, claim_epoch = $3, claim_journal = $4, claimed_at = now()
       where id = any ($1)`,
      [held.slice(0, 10), broker.replicaId, broker.epoch, broker.journalId],
    );

    expect(await readFor(free)).toBe(COUNTED_MOST);
    expect(causeOf((await toldOf(free))[0]!)).toBe('window_full');
  });

  it('is not read while the broker has not told its inventory, or is away', async () => {
    expect(await readFor(free)).toBe(COUNTED_MOST);

    await makeReady();
    await rows.sql.query('update broker_connection set replica_id = null where broker_id = $1', [broker.id]);

    expect(await readFor(free)).toBe(COUNTED_MOST);
  });
});
