import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program } from '../support/program.js';
import type { Orders } from './client-program.js';
import type { SoakCluster } from './cluster.js';

const PROGRAM = fileURLToPath(new URL('./client-program.js', import.meta.url));
const CLIENTS = 2;
/** For which clients go on asking for what was not taken yet. */
const GRACE_MS = 45_000;
const BEGIN_IN_MS = 1_500;

/** The clients of a soak, each a process of its own, that come through the balancer. */
export class Clients {
  /** Answers that were no acceptance, and calls without one, each kind with its number. */
  readonly refusals: Record<string, number> = {};
  /** What clients said last that ended by themselves, or did not end when they were to. */
  readonly ends: string[] = [];
  private readonly told = new Map<Program, { accepted: number; asking: number }>();

  private constructor(private readonly children: readonly Program[]) {}

  static start(
    folder: string,
    { toClients, token }: SoakCluster,
    brokerIds: string[],
    { seed, rate, bulk, mix }: { seed: number; rate: number; bulk: number; mix: number },
  ): Clients {
    const children = Array.from({ length: CLIENTS }, (_none, client) => {
      const log = join(folder, `client-${client}.log`);
      const options = { script: PROGRAM, args: [folder], log, isLed: true, isElsewhere: true };
      return Program.start(`client-${client}`, options);
    });
    const clients = new Clients(children);
    for (const [client, child] of children.entries()) {
      child.each(/^progress (\d+) (\d+)$/, ([, accepted, asking]) =>
        clients.told.set(child, { accepted: Number(accepted), asking: Number(asking) }),
      );
      child.each(/^refusals (.*)$/, ([, counts = '{}']) =>
        clients.count(JSON.parse(counts) as Record<string, number>),
      );
      const orders: Orders = {
        url: toClients.url,
        token,
        seed,
        client,
        clients: CLIENTS,
        brokerIds,
        ratePerS: rate / CLIENTS,
        bulkPerS: bulk / CLIENTS,
        mixPerS: mix / CLIENTS,
        beginsAtMs: Date.now() + BEGIN_IN_MS,
        graceMs: GRACE_MS,
      };
      child.give(JSON.stringify(orders));
    }
    return clients;
  }

  get progress(): string {
    const all = [...this.told.values()];
    const sum = (of: 'accepted' | 'asking') => all.reduce((total, each) => total + each[of], 0);
    return `${sum('accepted')} accepted, ${sum('asking')} unanswered`;
  }

  /** They stop asking for more; resolves when all that they have asked for is answered, or they are not waited for any longer. */
  async end(withinMs: number): Promise<void> {
    await Promise.all(this.children.map((child) => child.end('SIGTERM', withinMs)));
    for (const { name, exitCode, lastLines } of this.children)
      if (exitCode !== 0) this.ends.push(`${name} did not end well: ${lastLines}`);
  }

  async kill(): Promise<void> {
    await Promise.all(this.children.map((child) => child.end('SIGKILL')));
  }

  private count(counts: Record<string, number>): void {
    for (const [kind, count] of Object.entries(counts))
      this.refusals[kind] = (this.refusals[kind] ?? 0) + count;
  }
}
