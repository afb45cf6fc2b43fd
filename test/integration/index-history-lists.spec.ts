import { setTimeout as rest } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { migrateWith } from '../../src/hub/database/migrate.js';
import { MIGRATIONS } from '../../src/hub/database/migrations.js';
import { SESSION_OPTIONS } from '../../src/hub/database/session.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';

const NAME = 'IndexHistoryLists1790000000033';
const HISTORY = 'broker_dispatch_history';
const BUSY = '20260101';
const QUIET = '20260102';
const PARTITIONS = 3;
const LIMIT_MS = 1_000;
/** Somebody who waits for an index waits for all of the time that others write; a full machine is slow besides. */
const WRITTEN_FOR_MS = 3_000;
const HELD_UP_MOST_MS = 1_500;

let database: TestDatabase;
let sql: pg.Client;
let others: pg.Client[];
let dataSource: DataSource | undefined;

/** Commands that failed on a day, so many of them, from the nth on. */
async function plant(client: pg.Client, day: string, count: number, from = 1): Promise<void> {
  await client.query(
    `insert into ${HISTORY}
       (id, seq, broker_id, op, args, lane, state, agent_id, deadline_at, origin_replica, initiator, trail)
     select overlay(first_uuid_of($1)::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, n, gen_random_uuid(), 'broker.ping',
            jsonb_build_object('text', repeat('a', 100)), 'normal', 'failed', gen_random_uuid(), now(), gen_random_uuid(), '{}', '{}'
     from generate_series($3::integer, $3 + $2 - 1) n`,
    [day, count, from],
  );
}

async function openClient(): Promise<pg.Client> {
  const client = new pg.Client(database.url);
  await client.connect();
  others.push(client);
  return client;
}

/** Goes up to the migration that is looked at, or the one before. @param limitMs of each of its statements */
async function openSource({ isBefore = false, limitMs = 0 } = {}): Promise<DataSource> {
  const at = MIGRATIONS.findIndex(({ name }) => name === NAME);
  const source = makeDataSource(database.url, 'test');
  if (limitMs > 0) {
    const options = `${SESSION_OPTIONS} -c statement_timeout=${limitMs}ms -c lock_timeout=${limitMs}ms`;
    Object.assign(source.options.extra as object, { options, query_timeout: limitMs });
  }
  return source.setOptions({ migrations: MIGRATIONS.slice(0, isBefore ? at : at + 1) }).initialize();
}

/** How the indexes of lists stand: each with its parts, which of them cannot be used, and whether it can be used itself. */
async function indexes(): Promise<{ name: string; isValid: boolean; parts: number; invalid: number }[]> {
  const { rows } = await sql.query(
    `select whole.indexrelid::regclass::text as name, whole.indisvalid as "isValid", count(part)::integer as parts,
            count(part) filter (where not part.indisvalid)::integer as invalid
     from pg_index whole
     left join pg_inherits on inhparent = whole.indexrelid
     left join pg_index part on part.indexrelid = inhrelid
     where whole.indrelid = '${HISTORY}'::regclass and whole.indexrelid::regclass::text ~ '_of_(agent|exceptions|project)$'
     group by 1, 2
     order by 1`,
  );
  return rows;
}

const whole = (parts: number) =>
  ['agent', 'exceptions', 'project'].map((of) => ({
    name: `${HISTORY}_of_${of}`,
    isValid: true,
    parts,
    invalid: 0,
  }));

/** A transaction that has written to a day and is not over. */
async function openWriter(day = BUSY): Promise<pg.Client> {
  const writer = await openClient();
  await writer.query('begin');
  await plant(writer, day, 1, 100_000);
  return writer;
}

/** Milliseconds that the work took at most, where it is done over and over for so long. */
async function slowestOf(work: () => Promise<unknown>, forMs: number): Promise<number> {
  const begunAt = performance.now();
  let slowest = 0;
  while (performance.now() - begunAt < forMs) {
    const startedAt = performance.now();
    await work();
    slowest = Math.max(slowest, performance.now() - startedAt);
    await rest(20);
  }
  return slowest;
}

beforeEach(async () => {
  others = [];
  database = await createDatabase({ migrated: false });
  sql = await openClient();
  const source = await openSource({ isBefore: true });
  await source.runMigrations({ transaction: 'each' });
  await source.destroy();
  for (const day of [BUSY, QUIET]) await sql.query('select make_history_partition($1::date)', [day]);
  await plant(sql, BUSY, 5_000);
});

afterEach(async () => {
  if (dataSource?.isInitialized === true) await dataSource.destroy();
  for (const client of others) await client.end();
  await database.drop();
  await expectNoLeaks();
});

describe('the indexes of lists', () => {
  it('are made of a history that is there, and with partitions that are made after them', async () => {
    dataSource = await openSource();

    expect(await migrateWith(dataSource)).toEqual([NAME]);

    expect(await indexes()).toEqual(whole(PARTITIONS));
    await sql.query(`select make_history_partition('20260103')`);
    expect(await indexes()).toEqual(whole(PARTITIONS + 1));
  });

  it('take longer than any other statement may, while others write to the day that is read', async () => {
    const writer = await openWriter();
    dataSource = await openSource({ limitMs: LIMIT_MS });

    const migrating = migrateWith(dataSource);
    let n = 200_000;
    const slowest = await slowestOf(() => plant(sql, BUSY, 1, (n += 1)), WRITTEN_FOR_MS);
    await writer.query('commit');

    expect(await migrating).toEqual([NAME]);
    expect(slowest).toBeLessThan(HELD_UP_MOST_MS);
    expect(await indexes()).toEqual(whole(PARTITIONS));
  });

  it('leave the limits of their session as they were', async () => {
    const source = (dataSource = await openSource({ limitMs: LIMIT_MS }));

    await migrateWith(source);

    const limit = `select pg_sleep(0.05), current_setting('statement_timeout') || ' ' || current_setting('lock_timeout') as limits`;
    const sessions = await Promise.all([1, 2].map(() => source.query<{ limits: string }[]>(limit)));
    expect(sessions.flat().map(({ limits }) => limits)).toEqual(['1s 1s', '1s 1s']);
  });

  it('hold up writers for moments alone where one of them does not end, and are tried again', async () => {
    const writer = await openWriter(QUIET);
    dataSource = await openSource();

    const migrating = migrateWith(dataSource);
    let n = 200_000;
    const slowest = await slowestOf(() => plant(sql, QUIET, 1, (n += 1)), WRITTEN_FOR_MS);
    await writer.query('commit');

    expect(await migrating).toEqual([NAME]);
    expect(slowest).toBeLessThan(HELD_UP_MOST_MS);
    expect(await indexes()).toEqual(whole(PARTITIONS));
  });

  it('are made anew where one was left half made, and go on where a run was cut short', async () => {
    const index = `${HISTORY}_of_agent`;
    const of = '(agent_id, id) where agent_id is not null';
    const writer = await openWriter();
    const maker = await openClient();
    await maker.query(`set statement_timeout = '100ms'`);
    const cut = maker.query(`create index concurrently ${index}_p${BUSY} on ${HISTORY}_p${BUSY} ${of}`);
    await expect(cut).rejects.toMatchObject({ code: '57014' });
    await writer.query('commit');
    await sql.query(`create index ${index} on only ${HISTORY} ${of}`);
    await sql.query(`create index ${index}_p${QUIET} on ${HISTORY}_p${QUIET} ${of}`);
    await sql.query(`alter index ${index} attach partition ${index}_p${QUIET}`);
    dataSource = await openSource();

    expect(await migrateWith(dataSource)).toEqual([NAME]);

    expect(await indexes()).toEqual(whole(PARTITIONS));
  });

  it('are waited for where a server is still at one, for somebody who is gone', async () => {
    const index = `${HISTORY}_of_agent_p${BUSY}`;
    const oid = async () =>
      (await sql.query<{ oid: number | null }>(`select to_regclass($1)::oid as oid`, [index])).rows[0]?.oid;
    const writer = await openWriter();
    const maker = await openClient();
    const made = maker.query(
      `create index concurrently ${index} on ${HISTORY}_p${BUSY} (agent_id, id) where agent_id is not null`,
    );
    const begun = await eventually(oid);
    dataSource = await openSource();

    const migrating = migrateWith(dataSource);
    await eventually(async () => {
      const { rows } = await sql.query(
        `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and query ilike '%from pg_locks%'`,
      );
      return rows.length > 0;
    });
    await writer.query('commit');

    await made;
    expect(await migrating).toEqual([NAME]);
    expect(await oid()).toBe(begun);
    expect(await indexes()).toEqual(whole(PARTITIONS));
  });

  it('are gone on with after whoever made them was cut off', async () => {
    const writer = await openWriter();
    dataSource = await openSource();
    const cut = expect(migrateWith(dataSource)).rejects.toThrow();
    const builder = `
      select pid from pg_stat_activity where datname = current_database() and query like 'create index concurrently%'`;
    const pid = await eventually(async () => (await sql.query<{ pid: number }>(builder)).rows[0]?.pid);
    await sql.query('select pg_terminate_backend($1)', [pid]);
    await cut;
    await writer.query('commit');

    expect(await migrateWith(dataSource)).toEqual([NAME]);

    expect(await indexes()).toEqual(whole(PARTITIONS));
  });
});
