import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import pg from 'pg';
import { ensureServer, type EmbeddedServer } from '../../../src/hub/database/embedded/server.js';

const SETTINGS = { max_connections: 200 };
const NAME = 'second';

/** A PostgreSQL server, durable as by default, and a standby that has each commit before it is answered. */
export class ServerPair {
  private constructor(
    private readonly folder: string,
    private readonly primary: EmbeddedServer,
    private standby: EmbeddedServer,
    private readonly standbySettings: Record<string, string | number>,
  ) {}

  static async start(): Promise<ServerPair> {
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-pair-'));
    // The unprivileged user that runs PostgreSQL for root goes through it.
    chmodSync(folder, 0o711);
    const [one, two] = [join(folder, 'one'), join(folder, 'two')];
    mkdirSync(one, { mode: 0o711 });
    const first = await ensureServer({ dataDir: one, settings: SETTINGS, env: {} });
    await first.release('fast');
    execFileSync('cp', ['-a', one, two]);
    const data = join(two, relative(one, first.directory));
    // The port is the first one's.
    rmSync(`${data}.port`);
    const signal = join(data, 'standby.signal');
    writeFileSync(signal, '');
    const { uid, gid } = statSync(join(data, 'PG_VERSION'));
    chownSync(signal, uid, gid);

    const primary = await ensureServer({ dataDir: one, settings: SETTINGS, env: {} });
    const { username, password } = new URL(primary.url);
    const from = `host=127.0.0.1 port=${primary.port} user=${username} password=${decodeURIComponent(password)}`;
    const settings = { ...SETTINGS, primary_conninfo: `${from} application_name=${NAME}` };
    const standby = await ensureServer({ dataDir: two, settings, env: {} });
    const pair = new ServerPair(folder, primary, standby, settings);
    await asked(primary.url, `alter system set synchronous_standby_names = '${NAME}'`);
    await asked(primary.url, 'select pg_reload_conf()');
    return pair;
  }

  get primaryUrl(): string {
    return this.primary.url;
  }

  get standbyUrl(): string {
    return this.standby.url;
  }

  async stopStandby(): Promise<void> {
    await this.standby.release('immediate');
  }

  async startStandby(): Promise<void> {
    const settings = this.standbySettings;
    this.standby = await ensureServer({ dataDir: join(this.folder, 'two'), settings, env: {} });
  }

  /** Ends the sessions that wait for the standby. */
  async endWaiting(): Promise<void> {
    await asked(
      this.primary.url,
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity where wait_event = 'SyncRep'`,
    );
  }

  /** The first server is lost. */
  async crashPrimary(): Promise<void> {
    await this.primary.release('immediate');
  }

  async promote(): Promise<void> {
    await asked(this.standby.url, 'select pg_promote()');
  }

  async drop(): Promise<void> {
    await Promise.all([this.primary, this.standby].map((server) => server.release('immediate')));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function asked(url: string, statement: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
