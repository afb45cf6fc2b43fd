import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { HubConfig } from '../../src/hub/config/hub-config.js';
import { History } from '../../src/hub/dispatch/history.js';
import { PartitionRepository } from '../../src/hub/dispatch/partition.repository.js';
import { Retention } from '../../src/hub/dispatch/retention.js';
import { Loops } from '../../src/hub/lifecycle/loops.js';
import { eventually } from '../support/eventually.js';
import { FAIRLEAD } from '../support/hub-process.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';

const DAYS = 30;

/** Ended commands that were accepted in the first moments of a day, as the statement that ends them leaves them. */
const plant = async (sql: pg.Client, day: string, { count = 1, endedHoursAgo = 48 } = {}): Promise<void> => {
  await sql.query(
    `insert into broker_dispatch_history
       (id, seq, broker_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail, ended_at)
     select overlay(first_uuid_of($1::date)::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, n, $2, 'broker.ping', '{}',
            'normal', 'succeeded', now(), $2, '{}', '{}', now() - make_interval(hours => $4)
     from generate_series(1, $3::integer) n`,
    [day, randomUUID(), count, endedHoursAgo],
  );
};
const dayAgo = async (sql: pg.Client, days: number): Promise<string> =>
  (await sql.query(`select ((now() at time zone 'UTC')::date - $1::integer)::text as day`, [days])).rows[0]
    .day;
const plantPartition = async (sql: pg.Client, daysAgo: number): Promise<string> => {
  const day = await dayAgo(sql, daysAgo);
  await sql.query('select make_history_partition($1::date)', [day]);
  await plant(sql, day);
  return day;
};
const partitions = async (sql: pg.Client): Promise<string[]> =>
  (
    await sql.query(
      `select inhrelid::regclass::text as name from pg_inherits
       where inhparent = 'broker_dispatch_history'::regclass order by 1`,
    )
  ).rows.map(({ name }) => name);
const nameOf = (day: string) => `broker_dispatch_history_p${day.replaceAll('-', '')}`;

describe('the retention of history', () => {
  let bench: Bench;
  let sql: pg.Client;
  let history: History;

  beforeAll(async () => {
    bench = await openBench();
    sql = bench.rows.sql;
    history = new History(new PartitionRepository(bench.database));
  });

  beforeEach(async () => {
    // Those of the week to come as well.
    await history.forget(-8);
    await sql.query('delete from broker_dispatch_history');
  });

  afterAll(async () => {
    await bench.close();
    await expectNoLeaks();
  });

  const count = async (): Promise<number> =>
    (await sql.query('select count(*)::integer as rows from broker_dispatch_history')).rows[0].rows;
  const besides = async <T>(hold: string, work: () => Promise<T>): Promise<T> => {
    const holder = new pg.Client(bench.url);
    await holder.connect();
    try {
      await holder.query('begin');
      await holder.query(hold);
      return await work();
    } finally {
      await holder.end();
    }
  };

  it('drops each day that is over it as a whole, oldest first, and keeps the one just inside', async () => {
    const [kept, over, older] = [
      await plantPartition(sql, DAYS),
      await plantPartition(sql, DAYS + 1),
      await plantPartition(sql, DAYS + 40),
    ];

    const forgotten = await history.forget(DAYS);

    expect(forgotten).toEqual({ days: [older, over], commands: 0, isLeft: false });
    expect(await partitions(sql)).toEqual(['broker_dispatch_history_default', nameOf(kept)]);
    expect(await count()).toBe(1);
    expect(await history.forget(DAYS)).toEqual({ days: [], commands: 0, isLeft: false });
  });

  it('deletes what is as old in no partition, batch by batch, but nothing that ended within a day', async () => {
    await plant(sql, await dayAgo(sql, DAYS + 1), { count: 2_001 });
    await plant(sql, await dayAgo(sql, DAYS));
    await plant(sql, await dayAgo(sql, DAYS + 2), { endedHoursAgo: 23 });

    const forgotten = await history.forget(DAYS);

    expect(forgotten).toEqual({ days: [], commands: 2_001, isLeft: false });
    expect(await count()).toBe(2);
  });

  it('stops between two batches when it is asked to', async () => {
    await plant(sql, await dayAgo(sql, DAYS + 1), { count: 3 });

    const forgotten = await history.forget(DAYS, AbortSignal.abort());

    expect(forgotten).toEqual({ days: [], commands: 0, isLeft: true });
    expect(await count()).toBe(3);
  });

  it('gives up a day that somebody reads, so that whoever ends a command waits for a moment only', async () => {
    const day = await plantPartition(sql, DAYS + 1);

    const [forgotten, tookMs] = await besides('select from broker_dispatch_history limit 1', async () => {
      const since = performance.now();
      const forgetting = history.forget(DAYS);
      await plant(sql, await dayAgo(sql, 0));
      return [await forgetting, performance.now() - since] as const;
    });

    expect(forgotten).toEqual({ days: [], commands: 0, isLeft: true });
    // Any other statement gives up after two seconds.
    expect(tookMs).toBeLessThan(1_500);
    expect(await count()).toBe(2);
    expect(await history.forget(DAYS)).toMatchObject({ days: [day], isLeft: false });
  });

  it('leaves the partition of a day to the next time while somebody reads, whom nobody waits behind for long', async () => {
    const hold = 'select from broker_dispatch_history_default limit 1';

    const [isLeft, tookMs] = await besides(hold, async () => {
      const since = performance.now();
      const making = history.makeAhead();
      await sql.query('select from broker_dispatch_history_default limit 1');
      return [await making, performance.now() - since] as const;
    });

    expect(isLeft).toBe(true);
    // Any other statement gives up after two seconds.
    expect(tookMs).toBeLessThan(1_500);
    expect(await partitions(sql)).toEqual(['broker_dispatch_history_default']);
    expect(await history.makeAhead()).toBe(false);
    expect(await partitions(sql)).toHaveLength(9);
    expect(await history.makeAhead()).toBe(false);
  });

  it('is one replica’s at a time', async () => {
    await plantPartition(sql, DAYS + 1);
    await plant(sql, await dayAgo(sql, DAYS + 2));
    const duty = `select pg_advisory_xact_lock(hashtextextended('duty history retention', 3))`;

    const forgotten = await besides(duty, () => history.forget(DAYS));

    expect(forgotten).toEqual({ days: [], commands: 0, isLeft: true });
    expect(await count()).toBe(2);
  });

  it('is no loop of a hub that was told to leave it alone', () => {
    const loopsOf = (isForgotten: boolean) => {
      const loops = new Loops();
      void new Retention(history, { history: { days: DAYS, isForgotten } } as HubConfig, loops);
      return loops.report().map(({ name }) => name);
    };

    expect([loopsOf(true), loopsOf(false)]).toEqual([['history retention'], []]);
  });

  it('is done hour by hour by a hub, as soon as it starts', async () => {
    const day = await plantPartition(sql, 9);
    const config = { history: { days: 8, isForgotten: true } } as HubConfig;
    const retention = new Retention(history, config, new Loops());

    retention.start();

    await eventually(async () => !(await partitions(sql)).includes(nameOf(day)));
    await retention.stop();
  });

  it('is a command for a job as well, which needs the database alone', async () => {
    const day = await plantPartition(sql, DAYS + 1);
    const env = { PATH: process.env.PATH, DATABASE_URL: bench.url };

    const { stdout } = await promisify(execFile)(process.execPath, [FAIRLEAD, 'hub', 'retention', '--json'], {
      env,
    });

    expect(JSON.parse(stdout)).toEqual({ days: [day], commands: 0, isLeft: false });
    expect(await partitions(sql)).not.toContain(nameOf(day));
  });
});
