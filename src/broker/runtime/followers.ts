import type { Logger } from 'pino';
import type { AgentReport } from '../../protocol/frame.js';
import { isAlive, killGroup, type ProcessIdentity } from '../process-identity.js';
import { reportOf } from './report.js';
import type { RunFolder } from './run-folder.js';
import { until } from './until.js';

/**
 * Runs tell of each change in their folder but one: the death of a shim, and of a command that has none. A broker may
 * have many of them, and most are silent for hours.
 */
const LOOK_MS = 5_000;

/** When a run is followed again that could not be looked at, or at once. */
type Later = { agentId: string; timer: NodeJS.Timeout; again: () => void };
type Follower = { agentId: string; isOver: Promise<void>; isTold: Promise<void>; wake: () => void };
type Given = { wakeable: (wake: () => void) => void; told: () => void };

/**
 * Watches runs and reports every change of each until it is over. Then it removes what the run showed of itself and, where its
 * shim is gone, kills what its command left behind.
 */
export class Followers {
  private readonly byRun = new Map<string, Follower>();
  /** Runs of which nothing was told yet, and whose they are. */
  private readonly untold = new Map<string, string>();
  /** Runs that could not be looked at. */
  private readonly later = new Map<string, Later>();

  constructor(
    private readonly report: (report: AgentReport) => void,
    private readonly over: AbortSignal,
    private readonly log: Logger,
  ) {}

  follow(agentId: string, runId: string, run: RunFolder): void {
    if (this.byRun.has(runId) || this.over.aborted) return;
    clearTimeout(this.later.get(runId)?.timer);
    this.later.delete(runId);
    let wake: () => void = () => undefined;
    let told: () => void = () => undefined;
    const isTold = new Promise<void>((resolve) => (told = resolve));
    this.untold.set(runId, agentId);
    const isOver = this.untilOver(agentId, runId, run, { wakeable: (given) => (wake = given), told })
      .catch((error: unknown) => {
        this.log.error({ agentId, runId, err: error }, 'a run could not be looked at; it is tried again');
        if (this.over.aborted) return;
        const again = () => this.follow(agentId, runId, run);
        this.later.set(runId, { agentId, timer: setTimeout(again, LOOK_MS), again });
      })
      .then(() => {
        told();
        this.byRun.delete(runId);
      });
    this.byRun.set(runId, { agentId, isOver, isTold, wake: () => wake() });
  }

  /** Whether something was told of every run that is there: one that could not be looked at is not gone for that. */
  get hasToldAll(): boolean {
    return this.untold.size === 0;
  }

  /** Resolves when the run was told of, or could not be looked at. */
  async told(runId: string): Promise<void> {
    await this.byRun.get(runId)?.isTold;
  }

  /** Looks at once at a run that may have ended without a trace. */
  look(runId: string): void {
    this.later.get(runId)?.again();
    this.byRun.get(runId)?.wake();
  }

  /**
   * Resolves when the ends of an agent's runs are reported; these have to be over, or asked to stop. One that cannot be looked
   * at even now is given up: told later it would take the place of the run that comes next.
   */
  async toldAll(agentId: string, { except }: { except?: string } = {}): Promise<void> {
    const isAwaited = ([runId, of]: [string, { agentId: string }]) =>
      of.agentId === agentId && runId !== except;
    for (const [runId] of [...this.later, ...this.byRun].filter(isAwaited)) this.look(runId);
    const awaited = [...this.byRun].filter(isAwaited);
    await Promise.all(awaited.map(([, { isOver }]) => isOver));
    for (const [runId, { timer }] of [...this.later].filter(isAwaited)) {
      clearTimeout(timer);
      this.later.delete(runId);
      this.untold.delete(runId);
    }
  }

  /** The same of one run. */
  async toldEnd(runId: string): Promise<void> {
    this.look(runId);
    await this.byRun.get(runId)?.isOver;
  }

  async idle(): Promise<void> {
    for (const { timer } of this.later.values()) clearTimeout(timer);
    this.later.clear();
    await Promise.all([...this.byRun.values()].map(({ isOver }) => isOver));
  }

  /** It would be good for minutes yet where the hub has not heard of the end. */
  private async dropToken(agentId: string, runId: string, run: RunFolder): Promise<void> {
    try {
      await run.dropToken();
    } catch (error) {
      this.log.warn(
        { agentId, runId, err: error },
        'the credential of a run that is over could not be removed',
      );
    }
  }

  private async untilOver(
    agentId: string,
    runId: string,
    run: RunFolder,
    { wakeable, told: isTold }: Given,
  ): Promise<void> {
    let told = '';
    let child: ProcessIdentity | undefined;
    const isOver = await until(
      run.path,
      async () => {
        const state = await run.state();
        if (state.kind === 'running') child = isAlive(state.child) ? state.child : undefined;
        // Only of one that was seen alive: long after, or after a boot, its number may be another's.
        if (state.kind === 'vanished' && child !== undefined) killGroup(child);
        const report = reportOf(agentId, runId, state);
        const text = JSON.stringify(report);
        if (text !== told) this.report(report);
        told = text;
        this.untold.delete(runId);
        isTold();
        return report.phase === 'stopped' || report.phase === 'failed' ? true : undefined;
      },
      { signal: this.over, everyMs: LOOK_MS, wakeable },
    );
    if (isOver === true) await this.dropToken(agentId, runId, run);
  }
}
