import { Caller } from '../demo/caller.js';
import { Balancer } from '../support/balancer.js';
import { FaultyProxy } from '../support/faulty-proxy.js';
import { freePort } from '../support/free-port.js';
import { Readiness } from '../support/readiness.js';
import { Replicas, type Launched } from '../support/replicas.js';
import type { SoakDatabase } from './database.js';
import { Links } from './links.js';
import type { Absence, Ailment } from './record.js';

const STARTS_MOST = 5;
/** Before it is known that a process has ended by itself. */
const CRASHED_WITHIN_MS = 2_000;

export type Replica = Launched & {
  /** Between it and the database. */
  toDatabase: FaultyProxy;
  /** Between the other replicas and it. */
  fromPeers: FaultyProxy;
};

/** Real replicas, each behind networks of its own that can fail, and two balancers before them all. */
export class SoakCluster {
  readonly replicas: Replica[] = [];
  /** What replicas said last that nobody ended, and those that did not end, or begin, as they should. */
  readonly deaths: string[] = [];
  /** When replicas were ended, or stood still. */
  readonly absences: Absence[] = [];
  /** When replicas could not be sure of what they had asked of the database. */
  readonly ailments: Ailment[] = [];
  /** The connections of clients. */
  readonly clientLinks: Links;
  private readonly launching: Replicas;

  private constructor(
    folder: string,
    readonly database: SoakDatabase,
    private readonly readiness: Readiness,
    readonly toBrokers: Balancer,
    readonly toClients: Balancer,
  ) {
    this.launching = new Replicas(toBrokers.url, folder);
    this.clientLinks = new Links(toClients.proxy);
  }

  static async start(folder: string, database: SoakDatabase, replicas: number): Promise<SoakCluster> {
    const readiness = new Readiness();
    const [toBrokers, toClients] = await Promise.all([
      Balancer.start(0, readiness),
      Balancer.start(0, readiness),
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

  get token(): string {
    return this.launching.token;
  }

  /** An administrator's, as a client comes. */
  get caller(): Caller {
    return new Caller(this.toClients.url, this.token);
  }

  /**
   * Starts one more replica, and waits until it is ready; one that does not become so is told with the deaths, and another
   * started: a hub that has become smaller proves less.
   *
   * @param clockOffsetMs by how much its clock is wrong
   */
  async add(clockOffsetMs = 0): Promise<Replica> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.start(clockOffsetMs);
      } catch (error) {
        this.deaths.push(`it did not start: ${error instanceof Error ? error.message : String(error)}`);
        if (tries === STARTS_MOST) throw error;
      }
    }
  }

  private async start(clockOffsetMs: number): Promise<Replica> {
    const internalPort = await freePort();
    const toDatabase = await FaultyProxy.start(() => [{ host: '127.0.0.1', port: this.database.port }]);
    const fromPeers = await FaultyProxy.start(() => [{ host: '127.0.0.1', port: internalPort }]);
    const env = {
      DATABASE_URL: toDatabase.urlOf(this.database.url),
      FAIRLEAD_INTERNAL_LISTEN: `127.0.0.1:${internalPort}`,
      FAIRLEAD_ADVERTISE_URL: `http://127.0.0.1:${fromPeers.port}`,
      FAIRLEAD_DRAIN_LINGER_S: '2',
      FAIRLEAD_DRAIN_DEADLINE_S: '20',
    };
    try {
      const launched = await this.launching.launch(env, { clockOffsetMs, isWeighed: true });
      const replica: Replica = { ...launched, toDatabase, fromPeers };
      replica.program.onCrash((how) => {
        this.deaths.push(how);
        const untilMs = Date.now();
        const fromMs = untilMs - CRASHED_WITHIN_MS;
        this.absences.push({ replicaPort: portOf(replica), why: 'crashed', fromMs, untilMs });
      });
      this.replicas.push(replica);
      this.readiness.add(replica.url);
      return replica;
    } catch (error) {
      await Promise.all([toDatabase.stop(), fromPeers.stop()]);
      throw error;
    }
  }

  /** As a crash would end it. */
  async kill(replica: Replica): Promise<void> {
    this.forget(replica);
    await this.away(replica, 'killed', () => replica.program.end('SIGKILL'));
    await this.clear(replica);
  }

  /** Takes one out as a rollout does; that it did not end well by itself is told with the deaths. */
  async drain(replica: Replica): Promise<void> {
    this.forget(replica, false);
    await this.away(replica, 'drained', () => replica.program.end('SIGTERM', 60_000));
    this.readiness.remove(replica.url);
    await this.clear(replica);
    if (replica.program.exitCode !== 0)
      this.deaths.push(`${replica.name} did not end its drain: ${replica.program.lastLines}`);
  }

  /** While work ends a replica, or has it stand still. */
  async away(replica: Replica, why: Absence['why'], work: () => Promise<unknown>): Promise<void> {
    const absence: Absence = { replicaPort: portOf(replica), why, fromMs: Date.now(), untilMs: Infinity };
    this.absences.push(absence);
    try {
      await work();
    } finally {
      absence.untilMs = Date.now();
    }
  }

  /** While work takes the database from a replica, or from all where it is null, or makes it slow or unwilling. */
  async ailing<T>(replica: Replica | null, work: () => Promise<T>): Promise<T> {
    const replicaPort = replica === null ? null : portOf(replica);
    const ailment: Ailment = { replicaPort, fromMs: Date.now(), untilMs: Infinity };
    this.ailments.push(ailment);
    try {
      return await work();
    } finally {
      ailment.untilMs = Date.now();
    }
  }

  /** Replaces replicas that ended though nobody ended them. */
  async mend(): Promise<void> {
    for (const replica of this.replicas.filter(({ program }) => !program.isRunning)) {
      this.forget(replica);
      await this.clear(replica);
      await this.add();
    }
  }

  async stop(): Promise<void> {
    await Promise.all([this.toBrokers.stop(), this.toClients.stop()]);
    await Promise.all([...this.replicas].map((replica) => this.kill(replica)));
  }

  private forget(replica: Replica, isDead = true): void {
    const place = this.replicas.indexOf(replica);
    // Two ask for that where one is killed that had just ended by itself.
    if (place >= 0) this.replicas.splice(place, 1);
    // One that leaves in peace is seen to be unready, as by any balancer.
    if (isDead) this.readiness.remove(replica.url);
  }

  private async clear({ toDatabase, fromPeers }: Replica): Promise<void> {
    await Promise.all([toDatabase.stop(), fromPeers.stop()]);
  }
}

function portOf({ url }: Replica): number {
  return Number(new URL(url).port);
}
