import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CANARY_OP } from '../../src/broker/load/canaries.js';
import { readLines } from '../support/json-lines.js';
import { Program } from '../support/program.js';
import type { DrillCluster } from './cluster.js';

const CANARIES = fileURLToPath(new URL('./canaries.js', import.meta.url));
const PER_PROCESS = 25;
const LEAST_PROCESSES = 2;

type Effect = { note: string; brokerId: string; at: string };

/** The canary brokers of a drill, some in each of a few processes. */
export class Fleet {
  readonly brokerIds: string[] = [];
  /** Those of them that hold a second link ready. */
  readonly standbyIds = new Set<string>();
  private readonly programs: Program[] = [];

  private constructor(
    private readonly folder: string,
    private readonly other: string | undefined,
  ) {}

  /** @param other the folder of another build of the product, which half of the processes are of */
  static async start(cluster: DrillCluster, count: number, other?: string): Promise<Fleet> {
    const fleet = new Fleet(cluster.folder, other);
    const processes = Math.min(count, Math.max(LEAST_PROCESSES, Math.ceil(count / PER_PROCESS)));
    const token = await cluster.caller.joinToken(count);
    try {
      await Promise.all(
        Array.from({ length: processes }, async (_, place) => {
          const seats = Math.floor(count / processes) + (place < count % processes ? 1 : 0);
          // Every second process stands by.
          await fleet.launch(`canary-${place + 1}`, seats, place % 2 === 1, cluster.url, token);
        }),
      );
    } catch (error) {
      await fleet.stop();
      throw error;
    }
    return fleet;
  }

  /** What was done, by the canaries' own account. */
  effects(idOfNote: ReadonlyMap<string, string>): object[] {
    const files = readdirSync(this.folder).filter((name) => name.endsWith('.effects'));
    const effects = files.flatMap((name) => readLines<Effect>(join(this.folder, name)));
    return effects.map(({ note, brokerId, at }) => ({
      dispatchId: idOfNote.get(note) ?? note,
      brokerId,
      op: CANARY_OP,
      at,
    }));
  }

  async stop(): Promise<void> {
    await Promise.all(this.programs.map((program) => program.end('SIGTERM')));
  }

  private async launch(
    name: string,
    count: number,
    standsBy: boolean,
    url: string,
    token: string,
  ): Promise<void> {
    const env = { HUB_URL: url, JOIN_TOKEN: token };
    const args = [this.folder, String(count), name, ...(standsBy ? ['standby'] : [])];
    // Those without a standby are of the other build, where there is one.
    const script =
      this.other === undefined || standsBy ? CANARIES : join(this.other, 'scripts/drill/canaries.js');
    const program = Program.start(name, { script, args, env });
    this.programs.push(program);
    program.each(/^joined (\S+)$/, ([, id = '']) => {
      this.brokerIds.push(id);
      if (standsBy) this.standbyIds.add(id);
    });
    await program.line(/^all joined$/);
  }
}
