import { Injectable, Logger } from '@nestjs/common';
import type { AgentReport } from '../../protocol/frame.js';
import { storable } from '../database/jsonb.js';
import { Endings } from '../dispatch/endings.js';
import { Progress } from '../dispatch/progress.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import type { Link } from '../registry/link.js';
import { AgentRepository } from './agent.repository.js';
import { KEPT_OF_EACH_END } from './undo.js';

const WRITE_MOST = 500;
const TICK_MS = 1_000;
const CATCH_UP_MS = 5_000;
const CATCH_UP_MOST = 500;
/** Statements of one turn: more than an agent can have to go back. */
const ROUNDS_MOST = 2 * KEPT_OF_EACH_END + 8;

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
    this.catchingUp = loops.make({
      name: 'agent endings',
      everyMs: CATCH_UP_MS,
      turn: (signal) => this.catchUp(signal),
    });
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

  /**
   * An agent whose command was given up is back at the one before, which may have ended as well: it goes all the way within a
   * turn. What it is in between has never been, and nobody is to judge its run by that.
   */
  private async catchUp(signal: AbortSignal): Promise<void> {
    let agents = 0;
    for (let round = 1; !signal.aborted; round += 1) {
      const { moved, undone } = await this.repository.catchUp(CATCH_UP_MOST);
      agents += moved;
      if (undone === 0 && moved < CATCH_UP_MOST) break;
      if (round < ROUNDS_MOST) continue;
      this.catchingUp.wake();
      break;
    }
    if (agents > 0) this.log.debug({ agents }, 'agents followed the ends of their commands');
  }
}

/** A broker that names another one's agent must not push out what the right one says of it. */
function keyOf(brokerId: string, { agentId }: AgentReport): string {
  return `${brokerId} ${agentId}`;
}
