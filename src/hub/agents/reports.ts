import { Injectable, Logger } from '@nestjs/common';
import type { AgentReport } from '../../protocol/frame.js';
import { storable } from '../database/jsonb.js';
import { Endings } from '../dispatch/endings.js';
import { Progress } from '../dispatch/progress.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import type { Link } from '../registry/link.js';
import { AgentRepository } from './agent.repository.js';

const WRITE_MOST = 500;
const TICK_MS = 1_000;
const CATCH_UP_MS = 5_000;

/**
 * Keeps agents' phases in step with what their brokers report and with how their commands ended.
 *
 * Both are levels, not pulses: a broker tells the state of all its agents on every new link, and endings are read
 * from the history. Of each agent only the latest report waits here; what cannot be written is tried again.
 */
@Injectable()
export class Reports {
  private readonly log = new Logger('agents');
  private readonly latest = new Map<string, AgentReport & { brokerId: string }>();
  private readonly writing: Loop;
  private readonly catchingUp: Loop;

  constructor(
    private readonly repository: AgentRepository,
    private readonly endings: Endings,
    private readonly progress: Progress,
    loops: Loops,
  ) {
    this.writing = loops.make({ name: 'agent reports', everyMs: TICK_MS, turn: () => this.write() });
    this.catchingUp = loops.make({ name: 'agent endings', everyMs: CATCH_UP_MS, turn: () => this.catchUp() });
  }

  start(): void {
    this.endings.observe((endings) => {
      if (endings.some(({ agentId }) => agentId !== null)) this.catchingUp.wake();
    });
    this.writing.start();
    this.catchingUp.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.writing.stop(), this.catchingUp.stop()]);
  }

  took({ brokerId }: Link, reports: readonly AgentReport[]): void {
    for (const report of reports) {
      const detail = report.detail === null ? null : storable(report.detail);
      this.latest.set(keyOf(brokerId, report), { ...report, detail, brokerId });
    }
    this.writing.wake();
  }

  private async write(): Promise<void> {
    while (this.latest.size > 0) {
      const batch = [...this.latest.values()].slice(0, WRITE_MOST);
      this.progress.agentsChanged(await this.repository.takeReports(batch));
      for (const report of batch) {
        const key = keyOf(report.brokerId, report);
        if (this.latest.get(key) === report) this.latest.delete(key);
      }
    }
  }

  private async catchUp(): Promise<void> {
    const moved = await this.repository.catchUp();
    if (moved > 0) this.log.debug({ agents: moved }, 'agents followed the ends of their commands');
  }
}

/** A broker that names another one's agent must not push out what the right one says of it. */
function keyOf(brokerId: string, { agentId }: AgentReport): string {
  return `${brokerId} ${agentId}`;
}
