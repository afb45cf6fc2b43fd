import { Api } from './api.js';
import { createDatabase, type TestDatabase } from './database.js';
import { HubProcess } from './hub-process.js';

/** Real replicas on one database, and an administrator's caller. */
export class Cluster {
  readonly hubs: HubProcess[] = [];

  private constructor(
    readonly database: TestDatabase,
    private token: string,
  ) {}

  /** @param database another than a clone of the template */
  static async start(replicas: number, database?: TestDatabase): Promise<Cluster> {
    const cluster = new Cluster(database ?? (await createDatabase()), '');
    const starting = Array.from({ length: replicas }, () => cluster.addReplica());
    for (const { status } of await Promise.allSettled(starting)) {
      if (status === 'fulfilled') continue;
      await cluster.stop();
      await Promise.all(starting);
    }
    return cluster;
  }

  /** The nth replica that was ready. */
  hub(index: number): HubProcess {
    const hub = this.hubs[index];
    if (hub === undefined) throw new Error(`there is no replica ${index}`);
    return hub;
  }

  /** A caller of the nth replica. */
  api(index: number): Api {
    return new Api(this.hub(index).url, this.token);
  }

  get administratorToken(): string {
    return this.token;
  }

  /** @param limits of its process */
  async addReplica(env: Record<string, string> = {}, limits: { files?: number } = {}): Promise<HubProcess> {
    const hub = await HubProcess.start(this.database.url, env, limits);
    this.token = hub.administratorToken ?? this.token;
    this.hubs.push(hub);
    return hub;
  }

  async stop(): Promise<void> {
    await Promise.all(this.hubs.map((hub) => hub.kill()));
    await this.database.drop();
  }
}
