import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { COPY_FAULTS } from '../../src/hub/copying/copy.errors.js';
import { copyDatabase, type CopyOptions } from '../../src/hub/copying/copy.js';
import { CopyRepository } from '../../src/hub/copying/copy.repository.js';
import { SourceLock } from '../../src/hub/copying/source-lock.js';
import { DirectConnection } from '../../src/hub/database/direct.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { FAIRLEAD } from '../support/hub-process.js';

const HISTORY = 2_500;
const LOSE_LOCK = `select pg_terminate_backend(pid, 5000) from pg_stat_activity
  where datname = $1 and application_name = 'fairlead-copy/lock'`;

describe('a copy of a hub’s database', () => {
  let source: TestDatabase;
  let sql: pg.Client;
  let name: string;
  const targets: TestDatabase[] = [];
  const clients: pg.Client[] = [];

  beforeAll(async () => {
    source = await createDatabase();
    sql = await connected(source.url);
    name = new URL(source.url).pathname.slice(1);
    await plant(sql);
  });

  afterAll(async () => {
    await Promise.all([sql, ...clients].map((client) => client.end()));
    await Promise.all([source, ...targets].map((database) => database.drop()));
  });

  const connected = async (url: string): Promise<pg.Client> => {
    const client = new pg.Client(url);
    await client.connect();
    return client;
  };
  const target = async (migrated = false): Promise<TestDatabase & { sql: pg.Client }> => {
    const database = await createDatabase({ migrated });
    const client = await connected(database.url);
    targets.push(database);
    clients.push(client);
    return { ...database, sql: client };
  };
  const copy = (to: string, changed: Partial<CopyOptions> = {}) =>
    copyDatabase({ from: source.url, to, onProgress: () => undefined, ...changed });
  const codeOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 'copied',
      (error: { code?: unknown }) => error.code ?? error,
    );
  const enterReplica = () =>
    sql.query(
      `insert into hub_replica (id, name, session_name, software, protocol_min, protocol_max, state)
       values (gen_random_uuid(), 'alive', 'alive', '1', 1, 1, 'active')`,
    );
  const all = async (client: pg.Client, table: string): Promise<string[]> =>
    (await client.query(`select t::text as row from ${table} t order by 1`)).rows.map(({ row }) => row);

  it('holds every row as it was, in its partition, with what no other format would keep', async () => {
    const to = await target();

    const { rows, isResumed, tables } = await copy(to.url, { batchRows: 700 });

    expect(isResumed).toBe(false);
    expect(rows).toBeGreaterThan(HISTORY);
    for (const { name } of tables)
      expect([name, await all(to.sql, name)]).toEqual([name, await all(sql, name)]);
    expect(await all(to.sql, 'schema_migration')).toEqual(await all(sql, 'schema_migration'));
    const partitions = `select count(*)::integer as rows, tableoid::regclass::text as place
      from broker_dispatch_history group by tableoid order by 2`;
    expect((await to.sql.query(partitions)).rows).toEqual((await sql.query(partitions)).rows);
    const { rows: left } = await to.sql.query(
      `select to_regclass('copy_progress') as mark, (select array_agg(distinct tgenabled) from pg_trigger where not tgisinternal) as triggers`,
    );
    expect(left).toEqual([{ mark: null, triggers: '{O}' }]);
  });

  it('goes on counting where its source was', async () => {
    const to = await target(true);
    await copy(to.url);

    const next = `insert into broker_dispatch
        (id, broker_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail)
      values (gen_random_uuid(), gen_random_uuid(), 'broker.ping', '{}', 'normal', 'pending', now(), gen_random_uuid(), '{}', '{}')
      returning seq`;
    const { rows } = await to.sql.query(next);

    const { rows: last } = await sql.query('select max(seq) as seq from broker_dispatch');
    expect(Number(rows[0].seq)).toBe(Number(last[0].seq) + 1);
  });

  it('refuses a target that has rows, is the source itself, or has another schema', async () => {
    const full = await target(true);
    await full.sql.query(`insert into project (id, name, created_by) values ($1, 'mine', $1)`, [
      randomUUID(),
    ]);
    const other = await target(true);
    await other.sql.query(`insert into schema_migration (timestamp, name) values (1, 'OfAnother1')`);

    expect(await codeOf(copy(full.url))).toBe('copy_target_not_empty');
    expect(await codeOf(copy(source.url))).toBe('copy_same_database');
    expect(await codeOf(copy(other.url))).toBe('copy_target_schema');
    expect(await codeOf(copyDatabase({ from: other.url, to: full.url, onProgress: () => undefined }))).toBe(
      'copy_source_schema',
    );
  });

  it('refuses while a replica is alive on the source, or a hub starts there', async () => {
    const to = await target();
    await enterReplica();
    const alive = await codeOf(copy(to.url));
    await sql.query('delete from hub_replica');
    const starting = await connected(source.url);
    await starting.query('begin');
    await starting.query(`select pg_advisory_xact_lock(${0x66_61_69_72})`);
    const locked = await codeOf(copy(to.url));
    await starting.end();

    expect([alive, locked]).toEqual(['copy_source_alive', 'copy_source_alive']);
    expect((await to.sql.query(`select to_regclass('hub_identity') as made`)).rows).toEqual([{ made: null }]);
  });

  it('stops where the session is lost that keeps hubs from the source, and goes on when asked again', async () => {
    const to = await target(true);
    let lost: Promise<pg.QueryResult> | undefined;

    const stopped = copy(to.url, {
      batchRows: 100,
      onProgress: (line) => {
        if (line === 'broker_dispatch_history: 500 rows') lost = sql.query(LOSE_LOCK, [name]);
      },
    });

    expect(await codeOf(stopped)).toBe('copy_source_unlocked');
    expect((await lost)?.rowCount).toBe(1);
    expect((await to.sql.query(`select to_regclass('schema_migration') as shown`)).rows).toEqual([
      { shown: null },
    ]);
    expect(await copy(to.url)).toMatchObject({ isResumed: true });
    expect(await all(to.sql, 'broker_dispatch_history')).toEqual(await all(sql, 'broker_dispatch_history'));
  });

  describe('keeps its source as it is', () => {
    let connection: DirectConnection;
    let lock: SourceLock;

    beforeEach(async () => {
      connection = new DirectConnection({ url: source.url, sessionName: 'fairlead-copy', purpose: 'lock' });
      lock = new SourceLock(new CopyRepository((statement, values) => connection.run(statement, values)));
      await lock.take();
    });

    afterEach(() => connection.close());

    it('and notices a lock that another session has by now', async () => {
      await lock.assertAlone();
      await sql.query(LOSE_LOCK, [name]);
      const other = await connected(source.url);
      await other.query('begin');
      await other.query(`select pg_advisory_xact_lock(${0x66_61_69_72})`);

      const codes = [await codeOf(lock.assertHeld()), await codeOf(lock.assertAlone())];

      await other.end();
      expect(codes).toEqual(['copy_source_unlocked', 'copy_source_unlocked']);
    });

    it('and notices a replica that goes on after it stood still', async () => {
      await enterReplica();

      const code = await codeOf(lock.assertAlone());

      await sql.query('delete from hub_replica');
      expect(code).toBe('copy_source_alive');
    });
  });

  it('is refused for nothing that the documentation does not have', () => {
    const page = readFileSync('docs/operations.md', 'utf8');

    const told = [...page.matchAll(/^\| `(copy_\w+)` /gm)].map(([, code]) => code);

    expect(told.sort()).toEqual(Object.keys(COPY_FAULTS).sort());
  });

  it('is not passed for whole where a row of it is another', async () => {
    const to = await target(true);

    const spoilt = copy(to.url, {
      onProgress: (line) => {
        // That table is whole by then, and not compared yet.
        if (line.startsWith('signing_key'))
          void to.sql.query(`update broker_dispatch_floor set seq = seq + 1`);
      },
    });

    expect(await codeOf(spoilt)).toBe('copy_differs');
    expect((await to.sql.query(`select to_regclass('schema_migration') as shown`)).rows).toEqual([
      { shown: null },
    ]);
  });

  it('goes on after it was killed in the middle, and no hub starts on it before it is whole', async () => {
    const to = await target(true);
    const env = { PATH: process.env.PATH };
    await copy(to.url, {
      batchRows: 100,
      onProgress: (line) => {
        if (line === 'broker_dispatch_history: 500 rows') throw new Error('cut short');
      },
    }).catch((error: Error) => expect(error.message).toBe('cut short'));
    const half = (await to.sql.query('select count(*)::integer as rows from broker_dispatch_history')).rows[0]
      .rows;
    const hub = spawn(process.execPath, [FAIRLEAD, 'hub', 'migrate'], {
      env: { ...env, DATABASE_URL: to.url },
      stdio: 'ignore',
    });
    const [refused] = await once(hub, 'exit');
    // What somebody holds at the target stops the copy at a known place.
    const locker = await connected(to.url);
    clients.push(locker);
    await locker.query('begin');
    await locker.query('lock table broker_dispatch_history in exclusive mode');
    const words = ['migrate', 'copy', '--from', source.url, '--to', to.url, '--json'];
    const first = spawn(process.execPath, [FAIRLEAD, ...words], { env, stdio: 'ignore' });
    await eventually(
      async () =>
        (
          await sql.query(`select from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`, [
            new URL(to.url).pathname.slice(1),
          ])
        ).rowCount === 1,
      { withinMs: 60_000 },
    );
    first.kill('SIGKILL');
    await once(first, 'exit');
    await locker.query('commit');

    const second = spawn(process.execPath, [FAIRLEAD, ...words], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    second.stdout.on('data', (part: Buffer) => (out += part.toString()));
    const [code] = await once(second, 'close');

    expect(half).toBe(500);
    expect(refused).not.toBe(0);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ isResumed: true });
    expect(await all(to.sql, 'broker_dispatch_history')).toEqual(await all(sql, 'broker_dispatch_history'));
    expect(await all(to.sql, 'audit_unlinked')).toEqual(await all(sql, 'audit_unlinked'));
  });
});

/** Rows in tables with keys of one and of two columns, foreign keys, triggers, identities, bytes, and JSON’s own null. */
async function plant(sql: pg.Client): Promise<void> {
  const [broker, project] = [randomUUID(), randomUUID()];
  await sql.query(
    `insert into signing_key (id, public_jwk, sealed_private) select gen_random_uuid(), '{"a": 1.10}', $1
     from generate_series(1, 3)`,
    [randomBytes(64)],
  );
  await sql.query(`insert into project (id, name, created_by) values ($1, $2, $1)`, [
    project,
    'quotes " and \\ and (,) and umlauts äöü',
  ]);
  await sql.query(`insert into broker_dispatch_floor (broker_id, seq) values ($1, 7)`, [broker]);
  await sql.query(`insert into idempotency_key (scope, key, request_hash, subject_id)
    select 'scope ' || n % 3, 'key ' || n, 'h', gen_random_uuid() from generate_series(1, 40) n`);
  await sql.query(`insert into audit (id, act, outcome, actor_kind, subject_kind, detail)
    select gen_random_uuid(), 'project.create', 'done', 'person', 'project', '{}' from generate_series(1, 5)`);
  await sql.query('delete from audit_unlinked where audit_id in (select id from audit order by seq limit 2)');
  await sql.query(`select make_history_partition(current_date - ahead) from generate_series(0, 2) ahead`);
  const columns = `id, broker_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail`;
  const values = `$1::uuid, 'broker.ping', '{"null": null, "text": "a\\u0001b"}', 'normal'`;
  await sql.query(
    `insert into broker_dispatch (${columns})
     select gen_random_uuid(), ${values}, 'pending', clock_timestamp(), $1::uuid, '{}', array['{"state": "accepted"}', 'a,"b"']
     from generate_series(1, 60)`,
    [broker],
  );
  await sql.query(
    `insert into broker_dispatch_history (${columns}, seq, result)
     select (substr(first_uuid_of(current_date - n % 3)::text, 1, 19) || substr(gen_random_uuid()::text, 20))::uuid,
            ${values}, 'succeeded', clock_timestamp(), $1::uuid, '{}', '{}', n, case n % 2 when 0 then 'null'::jsonb end
     from generate_series(1, ${HISTORY}) n`,
    [broker],
  );
}
