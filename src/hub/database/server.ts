import { Inject, Injectable, Logger } from '@nestjs/common';
import { HUB_CONFIG } from '../config/config.module.js';
import type { Pooler } from '../config/environment.js';
import type { HubConfig } from '../config/hub-config.js';
import { ensureServer, type EmbeddedServer } from './embedded/server.js';

/** Where the database is: the one that the configuration names, or the machine's embedded one. */
@Injectable()
export class DatabaseServer {
  private readonly log = new Logger('database');
  private embedded: EmbeddedServer | undefined;
  private address: { url: string; directUrl: string } | undefined;

  constructor(@Inject(HUB_CONFIG) private readonly config: HubConfig) {}

  /** Finds the server, or starts the embedded one. */
  async open(): Promise<void> {
    const { url, directUrl } = this.config.database;
    if (url !== null) {
      this.address = { url, directUrl: directUrl ?? url };
      return;
    }
    this.embedded = await ensureServer({ dataDir: this.config.dataDir, log: (line) => this.log.log(line) });
    this.address = { url: this.embedded.url, directUrl: this.embedded.url };
  }

  get isEmbedded(): boolean {
    return this.config.database.url === null;
  }

  /** For the pool. */
  get url(): string {
    return this.opened().url;
  }

  /** What the pool's address leads through. */
  get pooler(): Pooler {
    return this.config.database.pooler;
  }

  /** The same of the direct address, where the two differ. */
  get directPooler(): Pooler {
    return this.config.database.directUrl === null ? this.pooler : 'none';
  }

  /** For LISTEN, the notifier, the beat and migrations: past the pooler, where there is a way. */
  get directUrl(): string {
    return this.opened().directUrl;
  }

  /** Lets go of the embedded server; the last of its users stops it. */
  async close(): Promise<void> {
    await this.embedded?.release();
    this.embedded = undefined;
  }

  private opened(): { url: string; directUrl: string } {
    if (this.address === undefined) throw new Error('the database server is not open yet');
    return this.address;
  }
}
