import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Caller } from '../demo/caller.js';
import { Balancer } from '../support/balancer.js';
import { DatabaseServer } from '../support/database-server.js';
import { Replicas, type Launched as Replica } from '../support/replicas.js';

const CONNECTIONS = 200;

/**
 * A hub of its own: a PostgreSQL, durable as by default, some replicas, and a balancer before them, whose address is the only
 * one that brokers and callers are told.
 */
export class DrillCluster {
  readonly replicas: Replica[] = [];
  private readonly launching: Replicas;

  private constructor(
    readonly folder: string,
    readonly balancer: Balancer,
    readonly server: DatabaseServer,
    private readonly env: Record<string, string>,
  ) {
    this.launching = new Replicas(balancer.url);
  }

  /**
   * @param env what replicas are told beside what they need
   * @param port of the one address; 0 for any that is free
   */
  static async start(replicas: number, env: Record<string, string>, port = 0): Promise<DrillCluster> {
    const balancer = await Balancer.start(port);
    const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'fairlead-drill-'));
    // The unprivileged user that runs PostgreSQL for root goes through it.
    chmodSync(folder, 0o711);
    const server = await DatabaseServer.start(folder, CONNECTIONS).catch((error: unknown) => {
      rmSync(folder, { recursive: true, force: true });
      void balancer.stop();
      throw error;
    });
    const cluster = new DrillCluster(folder, balancer, server, env);
    try {
      await cluster.add();
      await Promise.all(Array.from({ length: replicas - 1 }, () => cluster.add()));
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get url(): string {
    return this.balancer.url;
  }

  get token(): string {
    return this.launching.token;
  }

  /** An administrator's, through the one address. */
  get caller(): Caller {
    return new Caller(this.url, this.token);
  }

  /** Starts one more replica, and waits until it is ready. @param build the folder of another one than this */
  async add(env: Record<string, string> = {}, build?: string): Promise<Replica> {
    const replica = await this.launching.launch(
      { DATABASE_URL: this.server.url, ...this.env, ...env },
      { script: build === undefined ? undefined : join(build, 'src/cli/main.js') },
    );
    this.replicas.push(replica);
    this.balancer.add(replica.url);
    return replica;
  }

  /** Takes one out as a rollout does: it gets SIGTERM, and is waited for. @returns the milliseconds that took */
  async drain(replica: Replica): Promise<number> {
    const begunAt = performance.now();
    await replica.program.end('SIGTERM');
    await replica.program.succeeded();
    this.forget(replica);
    return performance.now() - begunAt;
  }

  /** As a crash would end it. */
  async kill(replica: Replica): Promise<void> {
    await replica.program.end('SIGKILL');
    this.forget(replica);
  }

  /** Ends the database at once, and starts it again at the same address. @returns when it was up again, on the monotonic clock */
  async crashDatabase(awayMs: number): Promise<number> {
    await this.server.restart('immediate', awayMs);
    return performance.now();
  }

  async stop(): Promise<void> {
    await this.balancer.stop();
    await this.launching.kill();
    await this.server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private forget(replica: Replica): void {
    this.balancer.remove(replica.url);
    this.replicas.splice(this.replicas.indexOf(replica), 1);
  }
}
