import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { DrillCluster } from '../drill/cluster.js';
import { Load } from '../drill/load.js';
import { Program } from '../support/program.js';

const REPLICAS = 3;
const BROKERS = ['laptop', 'desk'] as const;
/** A developer does not wait for balancers to forget a replica. */
const ENV = { FAIRLEAD_DRAIN_LINGER_S: '2', FAIRLEAD_DRAIN_DEADLINE_S: '30', FAIRLEAD_RATE_LIMITS: 'off' };
const PINGS_PER_S = 20;
const LINKED = /linked to the hub/;
const REPORT_WITHIN_MS = 120_000;
const LOOK_MS = 500;

export type Rolled = {
  ok: boolean;
  taken: number;
  refused: number;
  rollouts: {
    replica: string;
    clean: boolean;
    /** Brokers that were handed over: a drain without any shows little. */
    moved: number;
    lost: number;
    duplicated: number;
    reordered: number;
  }[];
};

/** The topology of compose without containers: a PostgreSQL, three replicas behind one address, and two brokers. */
export class DevCluster {
  private readonly brokers: Program[] = [];

  private constructor(private readonly cluster: DrillCluster) {}

  /** @param port of the one address; 0 for any that is free */
  static async start(port: number, tell: (line: string) => void): Promise<DevCluster> {
    const cluster = await DrillCluster.start(REPLICAS, ENV, port);
    tell(`${REPLICAS} replicas: ${cluster.replicas.map(({ url }) => url).join(' ')}`);
    try {
      const dev = new DevCluster(cluster);
      tell(`one address for all of them: ${cluster.url}`);
      await Promise.all(BROKERS.map((name) => dev.join(name)));
      tell(`brokers: ${BROKERS.join(', ')}`);
      return dev;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get url(): string {
    return this.cluster.url;
  }

  get token(): string {
    return this.cluster.token;
  }

  /** Replaces every replica under load, one after another, and waits for the report of each. */
  async roll(tell: (line: string) => void): Promise<Rolled> {
    const pings = new Load(this.cluster.caller, BROKERS, PINGS_PER_S, {
      orderOf: () => ({ op: 'broker.ping' }),
    });
    pings.start();
    const leaving = [...this.cluster.replicas];
    try {
      for (const replica of leaving) {
        await this.cluster.add();
        await this.cluster.drain(replica);
        tell(`${replica.program.name} has left`);
      }
    } finally {
      await pings.stop();
    }
    for (const refusal of new Set(pings.refusals)) tell(`refused: ${refusal}`);
    const rollouts = [];
    for (const { id, program } of leaving) rollouts.push(await this.report(id, program.name));
    const isClean = rollouts.length === leaving.length && rollouts.every(({ clean }) => clean);
    return {
      ok: isClean && pings.refusals.length === 0,
      taken: pings.answers.length,
      refused: pings.refusals.length,
      rollouts,
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.brokers.map((broker) => broker.end('SIGTERM')));
    await this.cluster.stop();
  }

  private async join(name: string): Promise<void> {
    const env = { FAIRLEAD_BROKER_HOME: join(this.cluster.folder, name) };
    const token = await this.cluster.caller.joinToken();
    const args = ['broker', 'join', this.url, '--token', token, '--name', name];
    await Program.start(`${name} joining`, { args, env }).succeeded();
    const broker = Program.start(name, { args: ['broker', 'start'], env });
    this.brokers.push(broker);
    await broker.line(LINKED);
  }

  /** What the hub says of the drain, once it was judged: its commands have ended then, and its brokers are back. */
  private async report(replicaId: string, replica: string): Promise<Rolled['rollouts'][number]> {
    const begunAt = performance.now();
    while (performance.now() - begunAt < REPORT_WITHIN_MS) {
      const items = await this.cluster.caller.rollouts();
      const report = items.find((each) => each.replica.id === replicaId)?.report;
      if (report) {
        const { clean, moved, lost, duplicated, reordered } = report;
        return { replica, clean, moved, lost, duplicated, reordered };
      }
      await rest(LOOK_MS);
    }
    throw new Error(`the drain of ${replica} was not judged within ${REPORT_WITHIN_MS / 1_000} s`);
  }
}
