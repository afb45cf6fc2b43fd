import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Authority } from '../../scripts/support/certificates.js';
import { ensureServer, type EmbeddedServer } from '../../src/hub/database/embedded/server.js';
import { examine } from '../../src/hub/doctor/doctor.js';
import { eventually } from '../support/eventually.js';
import { FAIRLEAD, HubProcess } from '../support/hub-process.js';
import { memoryFolder } from '../support/memory-folder.js';

const QUICK = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', shared_buffers: '16MB' };
const run = promisify(execFile);

/** What it takes to see a certificate, of the socket that the driver has. */
type Secure = { getPeerX509Certificate(): { toString(): string } };

describe('a database whose certificate an authority of its own has signed', () => {
  const authority = new Authority('authority of a database');
  let folder: string;
  let server: EmbeddedServer;
  let sql: pg.Client;
  let hub: HubProcess | undefined;
  let rootCert: string;
  let address: string;

  beforeAll(async () => {
    folder = memoryFolder('fairlead-database-tls-');
    // The unprivileged user that runs PostgreSQL for root goes through it.
    chmodSync(folder, 0o711);
    server = await ensureServer({ dataDir: folder, settings: QUICK, env: {} });
    sql = new pg.Client(server.url);
    await sql.connect();
    rootCert = join(folder, 'authorities.crt');
    writeFileSync(rootCert, authority.ca);
    const url = new URL(server.url);
    url.hostname = 'localhost';
    address = url.href;
    await show(authority.sign({ names: ['localhost'] }));
  }, 60_000);

  afterAll(async () => {
    await hub?.kill();
    await sql.end();
    await server.release('immediate');
    rmSync(folder, { recursive: true, force: true });
  });

  /** Has the server show another certificate to whoever connects from then on. */
  async function show({ cert, key }: { cert: string; key: string }): Promise<void> {
    const { uid, gid } = statSync(server.directory);
    for (const [name, content] of [
      ['server.crt', cert],
      ['server.key', key],
    ] as const) {
      const path = join(server.directory, name);
      writeFileSync(path, content);
      chmodSync(path, 0o600);
      chownSync(path, uid, gid);
    }
    await sql.query('alter system set ssl = on');
    await sql.query('select pg_reload_conf()');
    await eventually(async () => (await shown()) === cert);
  }

  /** The certificate that it shows, as the driver sees it. */
  async function shown(): Promise<string> {
    const client = new pg.Client({ connectionString: server.url, ssl: { rejectUnauthorized: false } });
    try {
      await client.connect();
      const { stream } = (client as unknown as { connection: { stream: Secure } }).connection;
      return stream.getPeerX509Certificate().toString();
    } catch {
      return '';
    } finally {
      await client.end();
    }
  }

  /** Whether each session of a hub is encrypted, of which there are at least so many. */
  async function areEncrypted(atLeast: number): Promise<boolean> {
    const { rows } = await sql.query<{ ssl: boolean }>(
      `select pg_stat_ssl.ssl from pg_stat_activity join pg_stat_ssl using (pid)
       where backend_type = 'client backend' and pid <> pg_backend_pid()`,
    );
    return rows.length >= atLeast && rows.every(({ ssl }) => ssl);
  }

  const endSessions = () =>
    sql.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where backend_type = 'client backend' and pid <> pg_backend_pid()`,
    );
  const answers = ({ url, administratorToken }: HubProcess, status: number) => {
    const headers = { authorization: `Bearer ${administratorToken}` };
    const isSo = async () => (await fetch(`${url}/api/v1/brokers`, { headers })).status === status;
    return eventually(isSo, { withinMs: 30_000 });
  };

  /** The file of authorities is away for a while, as where somebody replaces it by hand. */
  async function awayAndBack(hub: HubProcess): Promise<void> {
    renameSync(rootCert, `${rootCert}.away`);
    await endSessions();
    await answers(hub, 503);
    expect((await found()).at(0)).toBe('database_untrusted');
    renameSync(`${rootCert}.away`, rootCert);
    await answers(hub, 200);
  }

  const environment = (changed: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
    DATABASE_URL: address,
    FAIRLEAD_DATABASE_ROOT_CERT: rootCert,
    FAIRLEAD_SEAL_KEYS: randomBytes(32).toString('hex'),
    FAIRLEAD_CLUSTER_SECRET: randomBytes(32).toString('hex'),
    FAIRLEAD_DATA_DIR: folder,
    ...changed,
  });
  const found = async (changed: NodeJS.ProcessEnv = {}) =>
    (await examine(environment(changed), [])).findings.map(({ code }) => code);

  it('is reached by the jobs of the hub', async () => {
    const options = { env: { PATH: process.env.PATH, ...environment() } };

    await run(process.execPath, [FAIRLEAD, 'hub', 'migrate'], options);
    await run(process.execPath, [FAIRLEAD, 'hub', 'retention'], options);

    expect(await found()).not.toContain('database_untrusted');
  }, 60_000);

  it('has a hub whose every session is encrypted, and that knows a renewed authority without a restart', async () => {
    const started = await HubProcess.start(address, { FAIRLEAD_DATABASE_ROOT_CERT: rootCert });
    hub = started;
    await eventually(() => areEncrypted(3));
    const renewed = new Authority('authority of a database, renewed');
    writeFileSync(rootCert, renewed.ca);
    await show(renewed.sign({ names: ['localhost'] }));

    await endSessions();

    await eventually(() => areEncrypted(3), { withinMs: 30_000 });
    await answers(started, 200);
    await awayAndBack(started);
    expect(await started.stop()).toBe(0);
    writeFileSync(rootCert, authority.ca);
    await show(authority.sign({ names: ['localhost'] }));
  }, 120_000);

  it('is told apart from one that is away, where another authority has signed', async () => {
    const other = join(folder, 'others.crt');
    writeFileSync(other, new Authority('another').ca);

    const diagnosis = await examine(environment({ FAIRLEAD_DATABASE_ROOT_CERT: other }), []);

    expect(diagnosis.findings).toMatchObject([
      { code: 'database_untrusted', remedy: expect.stringContaining('FAIRLEAD_DATABASE_ROOT_CERT') },
    ]);
    expect(
      await found({ FAIRLEAD_DATABASE_ROOT_CERT: '', DATABASE_URL: `${address}?sslmode=verify-full` }),
    ).toEqual(['database_untrusted']);
  });

  it('is not taken under another name', async () => {
    await show(authority.sign({ names: ['elsewhere.example'] }));

    expect(await found()).toEqual(['database_untrusted']);
  });

  it('is told apart from one that is away, where it speaks no TLS', async () => {
    await sql.query('alter system set ssl = off');
    await sql.query('select pg_reload_conf()');
    await eventually(async () => (await shown()) === '');

    expect(await found()).toEqual(['database_untrusted']);
  });
});
