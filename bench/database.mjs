import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { ensureServer } from '../dist/src/hub/database/embedded/server.js';

/** What no side may do without: a result that was told survives the power cut. */
const SETTINGS = { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on' };

/**
 * The one PostgreSQL of a run, with a database for each side: the product's own embedded server as the product runs
 * it, in a folder that is removed afterwards.
 */
export class Server {
  static async start() {
    // On a disk, since a memory file system would make fsync free.
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
    chmodSync(folder, 0o711);
    const server = new Server();
    server.folder = folder;
    try {
      server.embedded = await ensureServer({ dataDir: folder, settings: SETTINGS });
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
    return server;
  }

  /** Makes an empty database. @returns its address */
  async makeDatabase(name) {
    await this.run(`create database ${name}`);
    const url = new URL(this.embedded.url);
    url.pathname = `/${name}`;
    return url.href;
  }

  /** One statement on the server's own database. */
  async run(text) {
    return withClient(this.embedded.url, async (client) => (await client.query(text)).rows);
  }

  async stop() {
    await this.embedded.release('immediate');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Lends a connection. */
export async function withClient(url, work) {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
