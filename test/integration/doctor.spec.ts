import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createSecureServer } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Authority } from '../../scripts/support/certificates.js';
import { readConfig } from '../../src/hub/config/hub-config.js';
import { EXAMPLE_KEY } from '../../src/hub/config/seal-keys.js';
import { Sealer } from '../../src/hub/auth/sealer.js';
import { roomFindings } from '../../src/hub/doctor/disk.js';
import { examine } from '../../src/hub/doctor/doctor.js';
import type { SeenServer } from '../../src/hub/doctor/doctor.repository.js';
import { FINDINGS, type Diagnosis, type FindingCode } from '../../src/hub/doctor/finding.js';
import { endingCertificate, openSecrets, weakSecrets } from '../../src/hub/doctor/secrets.js';
import { connectionFindings, pinnedFindings, serverFindings } from '../../src/hub/doctor/server.js';
import { ENTITIES } from '../../src/hub/entities.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { FAIRLEAD } from '../support/hub-process.js';
import { TransactionPooler } from '../support/transaction-pooler.js';

const KEY = randomBytes(32).toString('hex');
const SECRET = randomBytes(32).toString('hex');
const NOBODY = { domains: new Set<string>(), addresses: new Set<string>() };
const GIB = 1024 ** 3;
const DAY_MS = 24 * 3_600_000;

/** What is found on the server of the tests, which is quick instead of durable, and nowhere else has a fault. */
const OF_THE_TESTS: FindingCode[] = ['database_not_durable', 'standby_none', 'replica_none'];

describe('the doctor', () => {
  let database: TestDatabase;
  let sql: pg.Client;
  let folder: string;

  beforeAll(async () => {
    database = await createDatabase();
    sql = new pg.Client(database.url);
    await sql.connect();
    folder = mkdtempSync(join(tmpdir(), 'fairlead-doctor-'));
  });

  afterAll(async () => {
    await sql.end();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const environment = (changed: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
    DATABASE_URL: database.url,
    FAIRLEAD_SEAL_KEYS: KEY,
    FAIRLEAD_CLUSTER_SECRET: SECRET,
    FAIRLEAD_DATA_DIR: folder,
    ...changed,
  });
  /** Without the entities, whose comparison takes longer than all else; two tests and the command have them. */
  const look = (changed: NodeJS.ProcessEnv = {}) => examine(environment(changed), []);
  const codesOf = ({ findings }: Diagnosis) => [...new Set(findings.map(({ code }) => code))];
  /** Beyond what the server of the tests has anyway. */
  const foundIn = (diagnosis: Diagnosis) => codesOf(diagnosis).filter((code) => !OF_THE_TESTS.includes(code));
  const saidOf = ({ findings }: Diagnosis, code: FindingCode) =>
    findings.filter((finding) => finding.code === code).map(({ what }) => what);
  const notPossible = ({ checks }: Diagnosis) =>
    checks.flatMap(({ check, outcome }) => (outcome === 'not_possible' ? [check] : []));
  const addressed = (change: (url: URL) => void, url = database.url): string => {
    const changed = new URL(url);
    change(changed);
    return changed.href;
  };
  const closedPort = async (): Promise<number> => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, 'close');
    return port;
  };
  const enterReplica = (name: string, internalUrl: string, silentS: number, software = '0.1.0') =>
    sql.query(
      `insert into hub_replica
         (id, name, session_name, internal_url, software, protocol_min, protocol_max, state, last_seen_at)
       values ($1, $2, $2, $3, $4, 1, 1, 'active', clock_timestamp() - make_interval(secs => $5))`,
      [randomUUID(), name, internalUrl, software, silentS],
    );

  it('looks at everything where everything can be reached, and finds no more than there is', async () => {
    const diagnosis = await examine(environment(), ENTITIES);

    expect(foundIn(diagnosis)).toEqual([]);
    expect(notPossible(diagnosis)).toEqual([]);
    expect(saidOf(diagnosis, 'database_not_durable')).toEqual(['fsync is off', 'full_page_writes is off']);
  });

  it('names ten faults that were planted at once, each with its remedy', async () => {
    const open = join(folder, 'open');
    writeFileSync(open, `${KEY},${SECRET}`);
    chmodSync(open, 0o644);
    const planted = await createDatabase();
    const client = new pg.Client(planted.url);
    await client.connect();
    const sealed = new Sealer([randomBytes(32)]).seal('signing_key', randomUUID(), Buffer.from('{}'));
    await client.query(
      `insert into signing_key (id, public_jwk, sealed_private) values ($1, '{}'::jsonb, $2)`,
      [randomUUID(), sealed],
    );
    await client.query('drop index broker_dispatch_by_deadline');
    await client.query(
      `insert into hub_replica
         (id, name, session_name, internal_url, software, protocol_min, protocol_max, state)
       values ($1, 'lost', 'lost', $2, '0.0.1', 1, 1, 'active')`,
      [randomUUID(), `http://127.0.0.1:${await closedPort()}`],
    );
    const name = new URL(planted.url).pathname.slice(1);
    await client.query(`alter database ${name} with connection limit 13`);
    await client.query(`alter database ${name} set default_transaction_read_only = on`);
    await client.query(`alter database ${name} set log_timezone = 'UTC'`).catch(() => undefined);
    await client.end();

    try {
      const diagnosis = await examine(
        {
          DATABASE_URL: planted.url,
          DATABASE_DIRECT_URL: database.url,
          FAIRLEAD_DATABASE_POOLER: 'none',
          FAIRLEAD_SEAL_KEYS_FILE: open,
          FAIRLEAD_CLUSTER_SECRET: SECRET,
          FAIRLEAD_CLUSTER_SECRET_PREVIOUS: EXAMPLE_KEY,
          FAIRLEAD_LISTENS: '127.0.0.1:0',
          FAIRLEAD_DATA_DIR: folder,
        },
        ENTITIES,
      );

      expect(foundIn(diagnosis)).toEqual(
        expect.arrayContaining([
          'config_broken',
          'secret_weak',
          'secret_open',
          'secret_reused',
          'database_read_only',
          'database_elsewhere',
          'connections_short',
          'schema_drifted',
          'replica_unreachable',
          'seal_key_missing',
        ]),
      );
      for (const { code, severity, what, remedy } of diagnosis.findings) {
        expect([severity, remedy]).toEqual(FINDINGS[code]);
        expect(what).not.toContain(KEY);
        expect(what).not.toContain(SECRET);
      }
      expect(saidOf(diagnosis, 'config_broken')).toEqual([
        'FAIRLEAD_LISTENS is not known; did you mean FAIRLEAD_LISTEN?',
      ]);
      expect(saidOf(diagnosis, 'schema_drifted').join()).toContain('broker_dispatch_by_deadline');
      expect(saidOf(diagnosis, 'replica_unreachable').join()).toMatch(/^lost at .*ECONNREFUSED/);
      expect(diagnosis.findings.map(({ severity }) => severity)).toEqual(
        diagnosis.findings
          .map(({ severity }) => severity)
          .sort((a, b) => ['error', 'warning', 'note'].indexOf(a) - ['error', 'warning', 'note'].indexOf(b)),
      );
    } finally {
      await planted.drop();
    }
  });

  it.each<[string, NodeJS.ProcessEnv, FindingCode]>([
    ['missing', { FAIRLEAD_CLUSTER_SECRET: '' }, 'secret_missing'],
    ['not of hex', { FAIRLEAD_SEAL_KEYS: `z${KEY.slice(1)}` }, 'secret_malformed'],
    ['of zeros', { FAIRLEAD_SEAL_KEYS: '0'.repeat(64) }, 'secret_weak'],
    ['of a pattern', { FAIRLEAD_SEAL_KEYS: '0123456789abcdef'.repeat(4) }, 'secret_guessable'],
    ['for sessions, and not of hex', { FAIRLEAD_SESSION_SECRETS: 'z' }, 'secret_malformed'],
    ['for sessions, and of zeros', { FAIRLEAD_SESSION_SECRETS: '0'.repeat(64) }, 'secret_weak'],
    [
      'for sessions, and of a pattern',
      { FAIRLEAD_SESSION_SECRETS: '0123456789abcdef'.repeat(4) },
      'secret_guessable',
    ],
    ['for sessions, and the seal key', { FAIRLEAD_SESSION_SECRETS: KEY }, 'secret_reused'],
  ])('finds a secret that is %s', async (_how, changed, code) => {
    expect(codesOf(await look({ ...changed, DATABASE_URL: 'postgres://127.0.0.1:1/none' }))).toContain(code);
  });

  it.each<[string, (url: URL) => void, FindingCode]>([
    ['a server that is away', (url) => (url.port = '1'), 'database_unreachable'],
    ['a password that is refused', (url) => (url.password = 'another'), 'database_refuses'],
    ['a database that is not there', (url) => (url.pathname = '/nowhere'), 'database_missing'],
  ])('finds %s, and does not take what is behind it for well', async (_what, change, code) => {
    const diagnosis = await look({ DATABASE_URL: addressed(change) });

    expect(codesOf(diagnosis)).toEqual([code]);
    expect(notPossible(diagnosis)).toEqual(['listener', 'schema', 'replicas', 'seal keys']);
    expect(JSON.stringify(diagnosis)).not.toContain(new URL(database.url).password);
  });

  describe('past a pooler that lends sessions by the transaction', () => {
    let pooler: TransactionPooler;

    afterEach(() => pooler.stop());

    it.each(['refuse', 'drop'] as const)(
      'finds that it was not declared, where it %ss options',
      async (options) => {
        pooler = await TransactionPooler.start(database.url, { options });

        const diagnosis = await look({ DATABASE_URL: pooler.url });

        expect(foundIn(diagnosis)).toContain('pooler_undeclared');
        expect(diagnosis.checks).toContainEqual({ check: 'schema', outcome: 'done' });
      },
    );

    it('finds that no LISTEN is possible where it is the only way', async () => {
      pooler = await TransactionPooler.start(database.url);

      const diagnosis = await look({ DATABASE_URL: pooler.url, FAIRLEAD_DATABASE_POOLER: 'transaction' });

      expect(foundIn(diagnosis)).toEqual(['pooler_without_direct']);
    });

    it.each(['refuse', 'drop'] as const)(
      'finds that the direct address leads through it, where it %ss options',
      async (options) => {
        pooler = await TransactionPooler.start(database.url, { options });

        const diagnosis = await look({ DATABASE_URL: pooler.url, DATABASE_DIRECT_URL: pooler.url });

        expect(foundIn(diagnosis)).toEqual(['pooler_direct']);
      },
    );

    it('finds nothing where there is a way past it', async () => {
      pooler = await TransactionPooler.start(database.url);

      expect(foundIn(await look({ DATABASE_URL: pooler.url, DATABASE_DIRECT_URL: database.url }))).toEqual(
        [],
      );
    });
  });

  it('tells a schema that is missing, behind, ahead, and not copied whole from each other', async () => {
    const empty = await createDatabase({ migrated: false });
    const none = foundIn(await look({ DATABASE_URL: empty.url }));
    await empty.drop();
    await sql.query('create table copy_progress ()');
    const copied = foundIn(await look());
    await sql.query('drop table copy_progress');
    await sql.query(`insert into schema_migration (timestamp, name) values (1, 'OfALaterRelease1')`);
    const ahead = await look();
    await sql.query(`delete from schema_migration where timestamp = 1`);
    const { rows } =
      await sql.query(`delete from schema_migration where id = (select max(id) from schema_migration)
      returning *`);
    const behind = await look();
    await sql.query(
      `insert into schema_migration select * from json_populate_record(null::schema_migration, $1)`,
      [JSON.stringify(rows[0])],
    );

    expect(none).toEqual(['schema_missing']);
    expect(copied).toEqual(['copy_unfinished']);
    expect(saidOf(ahead, 'schema_ahead').join()).toContain('OfALaterRelease1');
    expect(saidOf(behind, 'schema_behind')).toEqual([`not run yet: ${rows[0].name}`]);
  });

  it('finds replicas that are silent, of two releases, or found where no hub answers', async () => {
    const other = createServer((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello'),
    ).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    await enterReplica('one', `http://127.0.0.1:${port}`, 0);
    await enterReplica('two', `http://127.0.0.1:${port}`, 0, '0.2.0');
    await enterReplica('three', `http://127.0.0.1:${port}`, 60);

    const diagnosis = await look();

    other.close();
    await sql.query('delete from hub_replica');
    expect(foundIn(diagnosis).sort()).toEqual(['replica_mixed', 'replica_silent', 'replica_unreachable']);
    expect(saidOf(diagnosis, 'replica_silent')[0]).toMatch(/^three /);
    expect(saidOf(diagnosis, 'replica_unreachable')[0]).toContain('something else than a hub');
  });

  it('reaches replicas that speak TLS by the certificates of this environment, and warns before these end', async () => {
    const pems = new Authority().sign();
    const variables = (given: typeof pems) => ({
      FAIRLEAD_INTERNAL_TLS_CERT: given.cert,
      FAIRLEAD_INTERNAL_TLS_KEY: given.key,
      FAIRLEAD_INTERNAL_TLS_CA: given.ca,
    });
    const replica = createSecureServer({ ...pems, requestCert: true }, (_request, response) =>
      response.end('fairlead_replica_may_act 1'),
    ).listen(0, '127.0.0.1');
    await once(replica, 'listening');
    const { port } = replica.address() as { port: number };
    await enterReplica('secure', `https://127.0.0.1:${port}`, 0);

    const [without, within] = [await look(), await look(variables(pems))];

    replica.close();
    await sql.query('delete from hub_replica');
    expect(saidOf(without, 'replica_unreachable')[0]).toContain('it speaks TLS');
    expect(foundIn(within)).toEqual(['certificate_ending']);
    const internalTls = (leftMs: number) => {
      const later = new Authority().sign({ untilMs: leftMs });
      return readConfig(variables(later)).internalTls;
    };
    expect(endingCertificate({ internalTls: internalTls(7 * DAY_MS - 60_000) })).toHaveLength(1);
    expect(endingCertificate({ internalTls: internalTls(7 * DAY_MS + 60_000) })).toEqual([]);
    expect(endingCertificate({ internalTls: null })).toEqual([]);
  });

  it('finds the keys of the ring that nothing needs, and what callers call alike is no secret', async () => {
    const old = randomBytes(32);
    const sealed = new Sealer([old])
      .seal('dispatch args', randomUUID(), Buffer.from('"s"'))
      .toString('base64');
    const args = { environment: { A: { $sealed: sealed } }, mine: { $sealed: 'not base64 at all!' } };
    await sql.query(
      `insert into broker_dispatch (id, broker_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail)
       values ($1, $1, 'agent.start', $2, 'normal', 'pending', now(), $1, '{}', '{}')`,
      [randomUUID(), args],
    );

    const missing = await look();
    const ring = await look({ FAIRLEAD_SEAL_KEYS: [KEY, old.toString('hex'), SECRET].join(',') });

    await sql.query('delete from broker_dispatch');
    expect(saidOf(missing, 'seal_key_missing')).toEqual([
      'no key of the ring sealed 1 secrets in broker_dispatch',
    ]);
    expect(saidOf(ring, 'seal_key_missing')).toEqual([]);
    expect(saidOf(ring, 'seal_key_idle')).toEqual(['nothing in the database needs key 3 of the ring']);
  });

  it('makes no embedded database where there is none yet', async () => {
    const diagnosis = await examine({ FAIRLEAD_DATA_DIR: join(folder, 'none') }, ENTITIES);

    expect(codesOf(diagnosis)).toContain('database_absent');
    expect(notPossible(diagnosis)).toEqual(['listener', 'schema', 'replicas', 'seal keys']);
    expect(diagnosis.checks).toContainEqual({ check: 'disk', outcome: 'done' });
  });

  describe('as a command', () => {
    const run = (env: NodeJS.ProcessEnv, ...words: string[]) =>
      new Promise<{ code: number; out: string; err: string }>((resolve) => {
        const options = { env: { PATH: process.env.PATH, ...env } };
        execFile(process.execPath, [FAIRLEAD, 'doctor', ...words], options, (error, out, err) =>
          resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
        );
      });

    it('exits with 1 for an error, and prints the same for programs and for people', async () => {
      const [forPrograms, forPeople] = await Promise.all([run(environment(), '--json'), run(environment())]);

      expect([forPrograms.code, forPeople.code]).toEqual([1, 1]);
      expect(codesOf(JSON.parse(forPrograms.out) as Diagnosis)).toEqual(OF_THE_TESTS);
      expect(forPeople.out).toContain('error    database_not_durable: fsync is off');
      expect(forPeople.out).toContain(FINDINGS.database_not_durable[1]);
    });

    it.each<[string, NodeJS.ProcessEnv, number]>([
      ['a configuration that is broken', { FAIRLEAD_LISTEN: 'here' }, 78],
      ['a database that is away', { DATABASE_URL: 'postgres://127.0.0.1:1/none' }, 7],
    ])('exits for %s with a code of its own', async (_what, changed, code) => {
      expect((await run(environment(changed), '--json')).code).toBe(code);
    });
  });
});

describe('what the doctor makes of', () => {
  const seen: SeenServer = {
    version: 180_001,
    encoding: 'UTF8',
    fsync: 'on',
    fullPageWrites: 'on',
    synchronousCommit: 'on',
    logTimezone: 'Etc/UTC',
    isReadOnly: false,
    connections: 97,
    roleLimit: -1,
    databaseLimit: -1,
    isEncrypted: false,
    mayCreate: true,
    lockTimeout: '2s',
    now: new Date(),
  };
  const at = { host: '127.0.0.1', isEmbedded: false, clockAheadMs: 0 };
  const codes = (findings: readonly { code: FindingCode }[]) => findings.map(({ code }) => code);

  it.each<[string, Partial<SeenServer>, Partial<typeof at>, FindingCode[]]>([
    ['a sound server', {}, {}, []],
    ['one before 15', { version: 140_019 }, {}, ['database_too_old']],
    ['one after 18', { version: 190_000 }, {}, ['database_untried']],
    ['another encoding', { encoding: 'SQL_ASCII' }, {}, ['database_encoding']],
    ['a log in another time', { logTimezone: 'Europe/Berlin' }, {}, ['timezones_differ']],
    ['a role that may not create', { mayCreate: false }, {}, ['database_rights']],
    ['a session in clear over a network', {}, { host: 'db.example' }, ['database_unencrypted']],
    ['a session over a network that is not', { isEncrypted: true }, { host: 'db.example' }, []],
    ['a clock 5 s ahead', {}, { clockAheadMs: 5_000 }, []],
    ['a clock past that', {}, { clockAheadMs: 5_001 }, ['clocks_differ']],
    ['a clock behind', {}, { clockAheadMs: -600_000 }, ['clocks_differ']],
  ])('a server: %s', (_what, changed, where, expected) => {
    expect(codes(serverFindings({ ...seen, ...changed }, { ...at, ...where }))).toEqual(expected);
  });

  const [one, two, three] = [randomBytes(32), randomBytes(32), randomBytes(32)];
  const sound = { clusterSecrets: [one], sealKeys: [two], sessionSecrets: [three], oidc: null };
  const client = (clientSecret: string) => ({
    oidc: { issuer: 'https://login.example', clientId: 'hub', clientSecret, allow: NOBODY },
  });

  it.each<[string, Partial<typeof sound> | ReturnType<typeof client>, FindingCode[]]>([
    ['each of its own', {}, []],
    ['none for sessions, which are derived then', { sessionSecrets: null as never }, []],
    ['one of the cluster for sessions', { sessionSecrets: [three, one] }, ['secret_reused']],
    ['one for all', { sealKeys: [one], sessionSecrets: [one] }, Array(3).fill('secret_reused')],
    ['a client’s as short as may be', client('a1b2c3d4e5f6g7h8'), []],
    ['a client’s one shorter', client('a1b2c3d4e5f6g7h'), ['client_secret_guessable']],
    ['a client’s of eight characters', client('abcdefgh'.repeat(2)), []],
    ['a client’s of seven', client('abcdefga'.repeat(2)), ['client_secret_guessable']],
    ['a client’s that seals', client(two.toString('hex').toUpperCase()), ['secret_reused']],
  ])('secrets: %s', (_what, changed, expected) => {
    expect(codes(weakSecrets({ ...sound, ...changed }))).toEqual(expected);
  });

  it('a file with the secret of each variable that others can read', () => {
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-doctor-'));
    const variables = ['FAIRLEAD_SEAL_KEYS', 'FAIRLEAD_SESSION_SECRETS', 'FAIRLEAD_OIDC_CLIENT_SECRET'];
    const env = Object.fromEntries(variables.map((name) => [`${name}_FILE`, join(folder, name)]));
    for (const path of Object.values(env)) writeFileSync(path, KEY, { mode: 0o600 });
    const closed = openSecrets(env, folder);
    for (const path of Object.values(env)) chmodSync(path, 0o640);

    const open = openSecrets(env, folder);

    rmSync(folder, { recursive: true });
    expect(closed).toEqual([]);
    expect(open.map(({ code, what }) => [code, what])).toEqual(
      variables.map((name) => [
        'secret_open',
        `others on this machine can read the file that ${name}_FILE names`,
      ]),
    );
  });

  it.each([
    [98, 5, []],
    [97, 5, ['connections_tight']],
    [97, 6, ['connections_tight']],
    [97, 7, ['connections_short']],
    [13, 0, ['connections_short']],
  ])('%i connections for %i replicas', (connections, count, expected) => {
    const replica = { name: 'r', software: '1', internalUrl: null, silentS: 0 };

    expect(codes(connectionFindings({ ...seen, connections }, Array(count).fill(replica)))).toEqual(expected);
  });

  it.each([
    [900, []],
    [901, ['transaction_pinned']],
  ])('a transaction open for %i s', (seconds, expected) => {
    expect(codes(pinnedFindings(seconds))).toEqual(expected);
  });

  it.each([
    [2 * GIB, 10 * GIB, []],
    [5 * GIB, 1_000 * GIB, []],
    [0.9 * GIB, 5 * GIB, ['disk_low']],
    [0.2 * GIB, 1 * GIB, ['disk_full']],
  ])('%i bytes left of %i', (freeBytes, totalBytes, expected) => {
    expect(codes(roomFindings('/data', { freeBytes, totalBytes }))).toEqual(expected);
  });

  it('each finding, stands in the documentation with its severity and remedy', () => {
    const page = readFileSync('docs/doctor.md', 'utf8');

    for (const [code, [severity, remedy]] of Object.entries(FINDINGS)) {
      expect(page.replace(/ +\|/g, ' |').replace(/\| +/g, '| ')).toContain(`| \`${code}\` | ${severity} |`);
      expect(page).toContain(remedy);
    }
  });
});
