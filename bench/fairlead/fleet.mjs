import { randomBytes } from 'node:crypto';
import { Child } from '../child.mjs';

/**
 * Fairlead as a side: a replica where commands come in, another that owns the brokers' connections, and a process of
 * brokers. Every command crosses from the one replica to the other, and its result back.
 */
export class Fleet {
  name = 'fairlead';
  brokerIds = [];

  /** @param {{ brokers?: number, profileDir?: string, database?: string }} options */
  static async start(server, { brokers = 1, profileDir, database = 'fairlead_bench' } = {}) {
    const fleet = new Fleet();
    fleet.databaseUrl = await server.makeDatabase(database);
    const sealKey = randomBytes(32).toString('hex');
    const clusterSecret = randomBytes(32).toString('hex');
    const open = (child, name) =>
      child.ask('open', {
        DATABASE_URL: fleet.databaseUrl,
        FAIRLEAD_SEAL_KEYS: sealKey,
        FAIRLEAD_CLUSTER_SECRET: clusterSecret,
        FAIRLEAD_LISTEN: '127.0.0.1:0',
        FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
        FAIRLEAD_LOG_LEVEL: 'warn',
        FAIRLEAD_REPLICA_NAME: name,
        FAIRLEAD_FIRST_BOOT: 'token',
      });
    fleet.origin = new Child('fairlead/replica.mjs', { profileDir });
    const { url, administratorToken } = await open(fleet.origin, 'origin');
    fleet.originUrl = url;
    fleet.administratorToken = administratorToken;
    fleet.owner = new Child('fairlead/replica.mjs', { profileDir });
    fleet.ownerUrl = (await open(fleet.owner, 'owner')).url;
    fleet.brokers = new Child('fairlead/brokers.mjs', { profileDir });
    await fleet.addBrokers(brokers);
    return fleet;
  }

  /** Links so many more brokers to the owner. */
  async addBrokers(count) {
    if (count === 0) return;
    const { ownerUrl: url, administratorToken } = this;
    this.brokerIds.push(...(await this.brokers.ask('join', { url, administratorToken, count })));
  }

  measure(load) {
    return this.origin.ask('measure', { ...load, brokerIds: this.brokerIds });
  }

  async end() {
    await this.brokers.end();
    await Promise.all([this.origin.end(), this.owner.end()]);
  }
}
