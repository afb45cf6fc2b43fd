import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { FaultyProxy } from '../support/faulty-proxy.js';
import { Program } from '../support/program.js';
import { Readiness, TcpBalancer } from './balancer.js';
import type { SoakDatabase } from './database.js';

const READY = /"msg":"the hub is ready"/;
const TOKEN = /^\s+(flp_\S+)$/;
/** A boot takes three seconds, and much longer beside others; one that fails ends by itself. */
const READY_WITHIN_MS = 180_000;

export type Replica = {
  name: string;
  program: Program;
  /** Where it listens for brokers and clients. */
  port: number;
  /** Between it and the database. */
  toDatabase: FaultyProxy;
  /** Between the other replicas and it. */
  fromPeers: FaultyProxy;
};

/** Real replicas, each behind networks of its own that can fail, and two balancers before them all. */
export class SoakCluster {
  readonly replicas: Replica[] = [];
  token = '';
  /** Exit codes of replicas that nobody ended. */
  readonly deaths: string[] = [];
  private readonly clusterSecret = randomBytes(32).toString('hex');
  private readonly sealKey = randomBytes(32).toString('hex');
  private count = 0;

  private constructor(
    private readonly folder: string,
    readonly database: SoakDatabase,
    private readonly readiness: Readiness,
    readonly toBrokers: TcpBalancer,
    readonly toClients: TcpBalancer,
  ) {}

  static async start(folder: string, database: SoakDatabase, replicas: number): Promise<SoakCluster> {
    const readiness = new Readiness();
    readiness.start();
    const [toBrokers, toClients] = await Promise.all([
      TcpBalancer.start(readiness),
      TcpBalancer.start(readiness),
    ]);
    const cluster = new SoakCluster(folder, database, readiness, toBrokers, toClients);
    try {
      // The first migrates, and says the token.
      await cluster.add();
      await Promise.all(Array.from({ length: replicas - 1 }, () => cluster.add()));
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** Starts one more replica, and waits until it is ready. @param clockOffsetMs by how much its clock is wrong */
  async add(clockOffsetMs = 0): Promise<Replica> {
    this.count += 1;
    const name = `replica-${this.count}`;
    const [port, internalPort] = await freePorts(2);
    const toDatabase = await FaultyProxy.start(() => [{ host: '127.0.0.1', port: this.database.port }]);
    const fromPeers = await FaultyProxy.start(() => [{ host: '127.0.0.1', port: internalPort ?? 0 }]);
    const databaseUrl = new URL(this.database.url);
    databaseUrl.hostname = '127.0.0.1';
    databaseUrl.port = String(toDatabase.port);
    const program = Program.start(name, {
      args: ['hub', 'start'],
      log: join(this.folder, `${name}.log`),
      clockOffsetMs,
      env: {
        DATABASE_URL: databaseUrl.href,
        FAIRLEAD_CLUSTER_SECRET: this.clusterSecret,
        FAIRLEAD_SEAL_KEYS: this.sealKey,
        FAIRLEAD_LISTEN: `127.0.0.1:${port}`,
        FAIRLEAD_PUBLIC_URL: this.toBrokers.url,
        FAIRLEAD_INTERNAL_LISTEN: `127.0.0.1:${internalPort}`,
        FAIRLEAD_ADVERTISE_URL: `http://127.0.0.1:${fromPeers.port}`,
        FAIRLEAD_REPLICA_NAME: name,
        FAIRLEAD_FIRST_BOOT: 'token',
        FAIRLEAD_DRAIN_LINGER_S: '2',
        FAIRLEAD_DRAIN_DEADLINE_S: '20',
      },
    });
    const replica: Replica = { name, program, port: port ?? 0, toDatabase, fromPeers };
    if (this.token === '') program.each(TOKEN, ([, token = '']) => (this.token = token));
    try {
      await program.line(READY, READY_WITHIN_MS);
    } catch (error) {
      await program.end('SIGKILL');
      await Promise.all([toDatabase.stop(), fromPeers.stop()]);
      throw error;
    }
    this.replicas.push(replica);
    this.readiness.add(replica.port);
    return replica;
  }

  /** As a crash would end it. */
  async kill(replica: Replica): Promise<void> {
    this.forget(replica);
    await replica.program.end('SIGKILL');
    await this.clear(replica);
  }

  /** Takes one out as a rollout does; that it did not end well by itself is told with the deaths. */
  async drain(replica: Replica): Promise<void> {
    this.forget(replica, false);
    await replica.program.end('SIGTERM', 60_000);
    this.readiness.remove(replica.port);
    await this.clear(replica);
    if (replica.program.exitCode !== 0)
      this.deaths.push(`${replica.name} did not end its drain: ${replica.program.lastLines}`);
  }

  /** Replicas that ended though nobody ended them: they are replaced, and told of. */
  async mend(): Promise<void> {
    for (const replica of this.replicas.filter(({ program }) => !program.isRunning)) {
      this.deaths.push(
        `${replica.name} ended by itself (${replica.program.exitCode}): ${replica.program.lastLines}`,
      );
      this.forget(replica);
      await this.clear(replica);
      await this.add();
    }
  }

  async stop(): Promise<void> {
    await Promise.all([this.readiness.stop(), this.toBrokers.stop(), this.toClients.stop()]);
    await Promise.all([...this.replicas].map((replica) => this.kill(replica)));
  }

  private forget(replica: Replica, isDead = true): void {
    this.replicas.splice(this.replicas.indexOf(replica), 1);
    // One that leaves in peace is seen to be unready, as by any balancer.
    if (isDead) this.readiness.remove(replica.port);
  }

  private async clear({ toDatabase, fromPeers }: Replica): Promise<void> {
    await Promise.all([toDatabase.stop(), fromPeers.stop()]);
  }
}

/** Ports that nobody listens on now. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(
    servers.map(async (server) => {
      server.close();
      await once(server, 'close');
    }),
  );
  return ports;
}
