import type { Logger } from 'pino';
import type { AgentReport } from '../../protocol/frame.js';
import { reportOf } from './report.js';
import type { RunFolder } from './run-folder.js';
import { until } from './until.js';

/**
 * Runs tell of each change in their folder but one: the death of a shim, and of a command that has none. A broker may
 * have many of them, and most are silent for hours.
 */
const LOOK_MS = 5_000;

type Follower = { agentId: string; isOver: Promise<void>; wake: () => void };

/** Watches runs and reports every change of each until it is over. */
export class Followers {
  private readonly byRun = new Map<string, Follower>();

  constructor(
    private readonly report: (report: AgentReport) => void,
    private readonly over: AbortSignal,
    private readonly log: Logger,
  ) {}

  follow(agentId: string, runId: string, run: RunFolder): void {
    if (this.byRun.has(runId)) return;
    let wake: () => void = () => undefined;
    const isOver = this.untilOver(agentId, runId, run, (given) => (wake = given))
      .catch((error: unknown) =>
        this.log.error({ agentId, runId, err: error }, 'a run is no longer followed'),
      )
      .then(() => void this.byRun.delete(runId));
    this.byRun.set(runId, { agentId, isOver, wake: () => wake() });
  }

  /** Looks at once at a run that may have ended without a trace. */
  look(runId: string): void {
    this.byRun.get(runId)?.wake();
  }

  /** Resolves when the ends of an agent's runs are reported; these have to be over, or asked to stop. */
  async toldAll(agentId: string, { except }: { except?: string } = {}): Promise<void> {
    const awaited = [...this.byRun].filter(
      ([runId, follower]) => follower.agentId === agentId && runId !== except,
    );
    for (const [, { wake }] of awaited) wake();
    await Promise.all(awaited.map(([, { isOver }]) => isOver));
  }

  async idle(): Promise<void> {
    await Promise.all([...this.byRun.values()].map(({ isOver }) => isOver));
  }

  private async untilOver(
    agentId: string,
    runId: string,
    run: RunFolder,
    wakeable: (wake: () => void) => void,
  ): Promise<void> {
    let told = '';
    await until(
      run.path,
      async () => {
        const report = reportOf(agentId, runId, await run.state());
        const text = JSON.stringify(report);
        if (text !== told) this.report(report);
        told = text;
        return report.phase === 'stopped' || report.phase === 'failed' ? true : undefined;
      },
      { signal: this.over, everyMs: LOOK_MS, wakeable },
    );
  }
}
