import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import type { RolloutPageDto } from '../../src/hub/drain/dto/rollout.dto.js';
import { Caller } from '../demo/caller.js';
import { Program } from '../demo/program.js';
import { DrillCluster } from '../drill/cluster.js';
import { FrontDoor } from './front-door.js';
import { Pings } from './pings.js';

const REPLICAS = 3;
const BROKERS = ['laptop', 'desk'] as const;
/** A developer does not wait for balancers to forget a replica. */
const ENV = { FAIRLEAD_DRAIN_LINGER_S: '2', FAIRLEAD_DRAIN_DEADLINE_S: '30', FAIRLEAD_RATE_LIMITS: 'off' };
const LINKED = /linked to the hub/;
const REPORT_WITHIN_MS = 120_000;
const LOOK_MS = 500;

export type Rolled = {
  ok: boolean;
  taken: number;
  refused: number;
  rollouts: { replica: string; clean: boolean; lost: number; duplicated: number; reordered: number }[];
};

/** The topology of compose without containers: a PostgreSQL, three replicas behind one address, and two brokers. */
export class DevCluster {
  private readonly brokers: Program[] = [];

  private constructor(
    private readonly cluster: DrillCluster,
    private readonly door: FrontDoor,
  ) {}

  /** @param port of the one address; 0 for any that is free */
  static async start(port: number, tell: (line: string) => void): Promise<DevCluster> {
    const cluster = await DrillCluster.start(REPLICAS, ENV);
    tell(`${REPLICAS} replicas: ${cluster.replicas.map(({ url }) => url).join(' ')}`);
    try {
      const door = await FrontDoor.open(() => cluster.balancer.next(), port);
      const dev = new DevCluster(cluster, door);
      tell(`one address for all of them: ${door.url}`);
      await Promise.all(BROKERS.map((name) => dev.join(name)));
      tell(`brokers: ${BROKERS.join(', ')}`);
      return dev;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get url(): string {
    return this.door.url;
  }

  get token(): string {
    return this.cluster.token;
  }

  /** Replaces every replica under load, one after another, and waits for the report of each. */
  async roll(tell: (line: string) => void): Promise<Rolled> {
    const pings = new Pings(this.url, this.token, BROKERS);
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
      taken: pings.taken,
      refused: pings.refusals.length,
      rollouts,
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.brokers.map((broker) => broker.end('SIGTERM')));
    await this.door.close();
    await this.cluster.stop();
  }

  private async join(name: string): Promise<void> {
    const env = { FAIRLEAD_BROKER_HOME: join(this.cluster.folder, name) };
    const { token } = await new Caller(this.url, this.token).joinToken();
    const joining = Program.start(
      `${name} joining`,
      ['broker', 'join', this.url, '--token', token, '--name', name],
      env,
    );
    await joining.succeeded();
    const broker = Program.start(name, ['broker', 'start'], env);
    this.brokers.push(broker);
    await broker.line(LINKED);
  }

  /** What the hub says of the drain, once it was judged: its commands have ended then, and its brokers are back. */
  private async report(replicaId: string, replica: string): Promise<Rolled['rollouts'][number]> {
    const begunAt = performance.now();
    while (performance.now() - begunAt < REPORT_WITHIN_MS) {
      const answer = await fetch(`${this.url}/api/v1/rollouts`, {
        headers: { authorization: `Bearer ${this.token}` },
      });
      if (!answer.ok) throw new Error(`no reports: ${answer.status} ${await answer.text()}`);
      const { items } = (await answer.json()) as RolloutPageDto;
      const report = items.find((each) => each.replica.id === replicaId)?.report;
      if (report) {
        const { clean, lost, duplicated, reordered } = report;
        return { replica, clean, lost, duplicated, reordered };
      }
      await rest(LOOK_MS);
    }
    throw new Error(`the drain of ${replica} was not judged within ${REPORT_WITHIN_MS / 1_000} s`);
  }
}
