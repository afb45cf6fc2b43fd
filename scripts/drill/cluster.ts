import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { ensureServer, type EmbeddedServer } from '../../src/hub/database/embedded/server.js';
import { Caller } from '../demo/caller.js';
import { Program } from '../support/program.js';
import { Balancer } from './balancer.js';

export type Replica = { program: Program; id: string; url: string };

const READY = /"port":(\d+),"replicaId":"([0-9a-f-]{36})","url":"[^"]+","msg":"the hub is ready"/;
const TOKEN = /^\s+(flp_\S+)$/;
const CONNECTIONS = 200;
/** A machine with other work makes a process wait. */
const READY_WITHIN_MS = 180_000;

/**
 * A hub of its own: a PostgreSQL, durable as by default, some replicas, and a balancer before them, whose address is the only
 * one that brokers and callers are told.
 */
export class DrillCluster {
  readonly folder: string;
  readonly replicas: Replica[] = [];
  token = '';
  /** Of all replicas that there ever were. */
  private readonly programs: Program[] = [];
  private readonly clusterSecret = randomBytes(32).toString('hex');
  private readonly sealKey = randomBytes(32).toString('hex');
  private count = 0;

  private constructor(
    folder: string,
    readonly balancer: Balancer,
    public server: EmbeddedServer,
    private readonly env: Record<string, string>,
  ) {
    this.folder = folder;
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
    const settings = { max_connections: CONNECTIONS };
    const server = await ensureServer({ dataDir: folder, settings, env: {} }).catch((error: unknown) => {
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

  /** An administrator's, through the one address. */
  get caller(): Caller {
    return new Caller(this.url, this.token);
  }

  /** Starts one more replica, and waits until it is ready. @param build the folder of another one than this */
  async add(env: Record<string, string> = {}, build?: string): Promise<Replica> {
    this.count += 1;
    const name = `replica-${this.count}`;
    const program = Program.start(name, {
      script: build === undefined ? undefined : join(build, 'src/cli/main.js'),
      args: ['hub', 'start'],
      env: {
        DATABASE_URL: this.server.url,
        FAIRLEAD_CLUSTER_SECRET: this.clusterSecret,
        FAIRLEAD_SEAL_KEYS: this.sealKey,
        FAIRLEAD_LISTEN: '127.0.0.1:0',
        FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
        FAIRLEAD_PUBLIC_URL: this.balancer.url,
        FAIRLEAD_REPLICA_NAME: name,
        FAIRLEAD_FIRST_BOOT: 'token',
        ...this.env,
        ...env,
      },
    });
    this.programs.push(program);
    const [, port = '', id = ''] = await program.line(READY, READY_WITHIN_MS);
    const url = `http://127.0.0.1:${port}`;
    const replica = { program, id, url };
    this.replicas.push(replica);
    if (this.token === '') this.token = (await program.line(TOKEN))[1] ?? '';
    this.balancer.add(url);
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
    const { url } = this.server;
    await this.server.release('immediate');
    await rest(awayMs);
    const settings = { max_connections: CONNECTIONS };
    this.server = await ensureServer({ dataDir: this.folder, settings, env: {} });
    if (this.server.url !== url) throw new Error('the port of the database was taken meanwhile');
    return performance.now();
  }

  async stop(): Promise<void> {
    await this.balancer.stop();
    await Promise.all(this.programs.map((program) => program.end('SIGKILL')));
    await this.server.release('immediate');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private forget(replica: Replica): void {
    this.balancer.remove(replica.url);
    this.replicas.splice(this.replicas.indexOf(replica), 1);
  }
}
