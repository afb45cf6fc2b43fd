import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { ensureServer, type EmbeddedServer } from '../../src/hub/database/embedded/server.js';

/** A PostgreSQL in a folder, durable as by default, which can be ended and started again. */
export class DatabaseServer {
  private constructor(
    private readonly folder: string,
    private readonly connections: number,
    private running: EmbeddedServer,
  ) {}

  static async start(folder: string, connections: number): Promise<DatabaseServer> {
    return new DatabaseServer(folder, connections, await running(folder, connections));
  }

  get url(): string {
    return this.running.url;
  }

  get port(): number {
    return this.running.port;
  }

  /** The file in which the server says what it has to. */
  get log(): string {
    return join(this.running.directory, 'server.log');
  }

  /** Ends it, in peace or as a crash does, and starts it again at the same address. */
  async restart(mode: 'fast' | 'immediate', awayMs: number): Promise<void> {
    const { url } = this;
    await this.stop(mode);
    await rest(awayMs);
    this.running = await running(this.folder, this.connections);
    if (this.url !== url) throw new Error('the port of the database was taken meanwhile');
  }

  async stop(mode: 'fast' | 'immediate' = 'immediate'): Promise<void> {
    await this.running.release(mode);
  }
}

function running(folder: string, connections: number): Promise<EmbeddedServer> {
  return ensureServer({ dataDir: folder, settings: { max_connections: connections }, env: {} });
}
