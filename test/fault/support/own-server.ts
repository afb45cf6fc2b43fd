import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureServer, type EmbeddedServer } from '../../../src/hub/database/embedded/server.js';
import type { TestDatabase } from '../../support/database.js';

/** A crash of the server loses nothing without these: only one of the machine would. */
const QUICK = { fsync: 'off', full_page_writes: 'off', max_connections: 200 };

/** A PostgreSQL server that one test has to itself, so that it may crash it. */
export class OwnServer implements TestDatabase {
  private constructor(
    private readonly dataDir: string,
    private server: EmbeddedServer,
  ) {}

  static async start(): Promise<OwnServer> {
    const dataDir = mkdtempSync(join(tmpdir(), 'fairlead-fault-'));
    // The unprivileged user that runs PostgreSQL for root goes through it.
    chmodSync(dataDir, 0o711);
    return new OwnServer(dataDir, await ensureServer({ dataDir, settings: QUICK, env: {} }));
  }

  get url(): string {
    return this.server.url;
  }

  /** Ends it at once, as a crash would: it recovers when it is started again. */
  async crash(): Promise<void> {
    await this.server.release('immediate');
  }

  /** Starts it again at the address that its clients know. */
  async startAgain(): Promise<void> {
    const { url } = this;
    this.server = await ensureServer({ dataDir: this.dataDir, settings: QUICK, env: {} });
    if (this.url !== url) throw new Error('the port was taken meanwhile');
  }

  async drop(): Promise<void> {
    await this.server.release('immediate');
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
