/**
 * Runs agents as processes of this machine. Everything it does may be done again: a run is started once however
 * often it is asked for, and stopping what has ended tells how it ended. So a command that was begun by an earlier
 * life of the broker is simply done again.
 */
import type { Logger } from 'pino';
import type { AgentReport } from '../../protocol/frame.js';
import type { OpArgs, OpBody } from '../../protocol/op.js';
import { KnownFailure, OpFailure, OpInterrupted } from '../dispatches/op-failure.js';
import type { Told } from '../dispatches/progress.js';
import { Begun } from './begun.js';
import { endRun, isLive } from './ending.js';
import { Followers } from './followers.js';
import { handOver } from './hand-over.js';
import { inspect } from './inspection.js';
import { launch } from './launch.js';
import { lastLines } from './output.js';
import { Roster } from './roster.js';
import { DELETION, type RunFolder, type RunState, type StopOrder } from './run-folder.js';
import { until } from './until.js';

const START_WITHIN_MS = 15_000;
/** Between two tries to read what is kept of an agent of an earlier life. */
const FIND_AGAIN_AFTER_MS = 5_000;
const NEVER = new AbortController().signal;
const LOG_BYTES = 200 * 1024;

type RuntimeOptions = {
  agentsPath: string;
  /** The program that supervises a run. */
  shim: string;
  /** Where its runs reach the hub with what they show of themselves; left out where they are given nothing to show. */
  hubUrl?: string | undefined;
  log: Logger;
  /** Called for each change of a run; of one agent always in the order of its runs. */
  report: (report: AgentReport) => void;
  /** An agent was deleted: nothing more comes of it. */
  forget: (agentId: string) => void;
};

/** false once the deadline has passed: work that was not begun must not begin. */
export type MayBegin = () => boolean;

type TellProgress = (told: Told) => void;
const TELL_NOBODY: TellProgress = () => undefined;

export class ProcessRuntime {
  /** What an earlier life of the broker has begun. */
  readonly begun: Begun;
  private readonly roster: Roster;
  private readonly over = new AbortController();
  private readonly followers: Followers;
  /** Agents of earlier lives of which nothing could be read yet, and when that is tried again. */
  private readonly unread = new Map<string, NodeJS.Timeout | undefined>();
  /** Every run there is is being stopped: nobody would stop one that is launched now. */
  private areAllStopped = false;

  constructor(private readonly options: RuntimeOptions) {
    this.roster = new Roster(options.agentsPath, options.log);
    this.begun = new Begun(this.roster);
    this.followers = new Followers(options.report, this.over.signal, options.log);
  }

  /**
   * Finds the runs of earlier lives: those that go on are followed. All of them are reported when it resolves, but those
   * of which nothing could be read: that is tried again.
   */
  async recover(): Promise<void> {
    await this.roster.sweep();
    const agentIds = await this.roster.agentIds();
    for (const agentId of agentIds) this.unread.set(agentId, undefined);
    await Promise.all(
      agentIds.map(async (agentId) => {
        await this.sweepTokens(agentId);
        await this.recoverOne(agentId);
      }),
    );
  }

  /** Whether every run there is was reported: only then is what was not reported not there. */
  get hasReportedAll(): boolean {
    return this.unread.size === 0 && this.followers.hasToldAll;
  }

  /** Agents whose latest run goes on, of those that can be read. */
  async countRunning(): Promise<number> {
    const agentIds = await this.roster.agentIds();
    const areRunning = await Promise.all(
      agentIds.map((agentId) =>
        this.isRunning(agentId).catch((error: unknown) => {
          this.options.log.error({ agentId, err: error }, 'whether an agent runs could not be read');
          return false;
        }),
      ),
    );
    return areRunning.filter(Boolean).length;
  }

  /** Ends the following and the waiting; the processes go on. What waits throws OpInterrupted. */
  async stop(): Promise<void> {
    this.over.abort();
    for (const timer of this.unread.values()) clearTimeout(timer);
    await this.followers.idle();
  }

  /** Stops every run there is, and reports their ends. None is launched any more: what would throws OpInterrupted. */
  async stopAll(graceMs: number): Promise<void> {
    this.areAllStopped = true;
    const agentIds = await this.roster.agentIds();
    await Promise.all(
      agentIds.map(async (agentId) => {
        try {
          const latest = await this.roster.find(agentId);
          if (latest === undefined) return;
          await this.end(agentId, latest.runId, graceMs, () => true);
          await this.followers.toldEnd(latest.runId);
        } catch (error) {
          this.options.log.error({ agentId, err: error }, 'an agent could not be stopped');
        }
      }),
    );
  }

  /**
   * @param mayBegin whether a run that no shim has taken yet may still be launched
   * @param given ends the waiting for the command to start, and calls it off
   * @param traceparent handed down to the command
   * @throws OpFailure `already_running`, `start_failed`, `limit_refused`, `deadline_passed`, `cancelled`, `outcome_unknown`
   */
  async startRun(
    { agentId, name, runId, spec }: OpArgs['agent.start'],
    mayBegin: MayBegin,
    given: AbortSignal = NEVER,
    progress: TellProgress = TELL_NOBODY,
    traceparent?: string,
  ): Promise<OpBody['agent.start']> {
    const run = this.roster.run(agentId, runId);
    const latest = await this.roster.find(agentId);
    if (
      latest !== undefined &&
      latest.runId !== runId &&
      isLive(await this.roster.run(agentId, latest.runId).state())
    ) {
      throw new KnownFailure('already_running', `The agent runs already, as ${latest.runId}.`);
    }
    if ((await run.state()).kind === 'unclaimed') {
      if (!mayBegin())
        throw new KnownFailure('deadline_passed', 'The deadline passed before the agent was started.');
      await this.followers.toldAll(agentId, { except: runId });
      this.mayLaunch();
      const workFolder = this.roster.workFolder(agentId);
      const trace = traceparent === undefined ? {} : { traceparent };
      const { hubUrl } = this.options;
      const hub = hubUrl === undefined ? {} : { hub: { url: hubUrl, tokenPath: run.tokenPath } };
      await run.make({ agentId, name, runId, spec, workFolder, ...trace, ...hub });
      await this.roster.keep({ agentId, name, runId });
      // Past here it is among those that are found and stopped.
      this.mayLaunch();
      await launch(this.options.shim, run);
    }
    this.followers.follow(agentId, runId, run);
    progress({ note: 'The command is being started.' });
    const pid = await this.pidOnceStarted(run, given).catch((error: unknown) => {
      if (error instanceof OpFailure || error instanceof OpInterrupted) throw error;
      // Its shim starts it nevertheless.
      this.options.log.error({ agentId, runId, err: error }, 'whether a run has started could not be read');
      throw new KnownFailure('outcome_unknown', 'Whether its command has started could not be read.');
    });
    // The hub has heard of the run before it hears that it was started.
    await this.followers.told(runId);
    return { runId, pid };
  }

  async stopRun(
    { agentId, runId, graceMs }: OpArgs['agent.stop'],
    mayBegin: MayBegin,
  ): Promise<OpBody['agent.stop']> {
    const exit = await this.end(agentId, runId, graceMs, mayBegin);
    return { runId, exitCode: exit?.exitCode ?? null };
  }

  /** Stops whatever runs, then starts the new run; where that one was started before, nothing is stopped. */
  async restart(
    args: OpArgs['agent.restart'],
    mayBegin: MayBegin,
    progress: TellProgress = TELL_NOBODY,
    traceparent?: string,
  ): Promise<OpBody['agent.restart']> {
    const { agentId, runId, graceMs, fromRunId } = args;
    if ((await this.roster.run(agentId, runId).state()).kind !== 'unclaimed')
      return this.startRun(args, mayBegin);
    if (!mayBegin() && !(await this.begun.restart(args)))
      throw new KnownFailure('deadline_passed', 'The deadline passed before the agent was restarted.');
    progress({ note: 'The run before it is being stopped.' });
    await this.endAll(agentId, fromRunId, graceMs, runId);
    // Begun in time: an agent that was stopped for it is not left so because its stop took long.
    return this.startRun(args, () => true, NEVER, progress, traceparent);
  }

  async delete(args: OpArgs['agent.delete'], mayBegin: MayBegin): Promise<OpBody['agent.delete']> {
    const { agentId, runId, graceMs } = args;
    if (!mayBegin() && !(await this.begun.deletion(args)))
      throw new KnownFailure('deadline_passed', 'The deadline passed before the agent was deleted.');
    await this.endAll(agentId, runId, graceMs, DELETION);
    // One that could not be read until now is not followed any more.
    clearTimeout(this.unread.get(agentId));
    this.unread.delete(agentId);
    await this.followers.toldAll(agentId);
    await this.roster.forget(agentId);
    this.options.forget(agentId);
    return {};
  }

  async logs({ agentId, lines }: OpArgs['agent.logs']): Promise<OpBody['agent.logs']> {
    const latest = await this.roster.find(agentId);
    if (latest === undefined) return { lines: [], truncated: false };
    return lastLines(this.roster.run(agentId, latest.runId).outputPath, lines, LOG_BYTES);
  }

  /**
   * Gives a message to the command of the agent's latest run. May be repeated: what was handed over is not again.
   *
   * @throws OpFailure `agent_not_running`, `agent_not_reading`, `outcome_unknown`, `deadline_passed`, `cancelled`
   */
  async message(
    { agentId, message }: OpArgs['agent.message'],
    mayBegin: MayBegin,
    given: AbortSignal = NEVER,
    progress: TellProgress = TELL_NOBODY,
  ): Promise<OpBody['agent.message']> {
    const { runId } = await this.latestOf(agentId);
    progress({ note: `It waits for the run ${runId} to take it.` });
    const run = this.roster.run(agentId, runId);
    await handOver(run, message, { mayBegin, given, over: this.over.signal, log: this.options.log });
    return { runId };
  }

  /** Puts what an agent shows of itself where its run finds it, in place of what was there; not of a run that is over. */
  async keepToken({ agentId, runId }: { agentId: string; runId: string }, token: string): Promise<void> {
    const run = this.roster.run(agentId, runId);
    await run.keepToken(token);
    // Whoever follows it may have looked before, and removes what was there then.
    if (isOver(await run.state())) await run.dropToken();
  }

  /** @throws OpFailure `agent_not_running` where it was never started here */
  async inspect({ agentId }: OpArgs['agent.inspect']): Promise<OpBody['agent.inspect']> {
    const { runId } = await this.latestOf(agentId);
    return inspect(agentId, runId, this.roster.run(agentId, runId));
  }

  private async latestOf(agentId: string): Promise<{ runId: string }> {
    const latest = await this.roster.find(agentId);
    if (latest !== undefined) return latest;
    throw new KnownFailure('agent_not_running', 'The agent was never started on this broker.');
  }

  /** One that cannot be read keeps the broker from none of the others. */
  private async recoverOne(agentId: string): Promise<void> {
    try {
      const latest = await this.roster.find(agentId);
      const run = latest && this.roster.run(agentId, latest.runId);
      const state = await run?.state();
      // Deleted meanwhile, or the broker stops.
      if (!this.unread.has(agentId) || this.over.signal.aborted) return;
      this.unread.delete(agentId);
      // What no shim has taken is not a run yet: the command that asked for it decides.
      if (latest === undefined || run === undefined || state?.kind === 'unclaimed') return;
      this.followers.follow(agentId, latest.runId, run);
      await this.followers.told(latest.runId);
    } catch (error) {
      if (!this.unread.has(agentId) || this.over.signal.aborted) return;
      this.options.log.error({ agentId, err: error }, 'an agent could not be read; it is tried again');
      this.unread.set(
        agentId,
        setTimeout(() => void this.recoverOne(agentId), FIND_AGAIN_AFTER_MS),
      );
    }
  }

  private mayLaunch(): void {
    if (this.areAllStopped) throw new OpInterrupted();
  }

  private async isRunning(agentId: string): Promise<boolean> {
    const latest = await this.roster.find(agentId);
    return latest !== undefined && isLive(await this.roster.run(agentId, latest.runId).state());
  }

  /** Agents write to these folders as well: one that has put something in the way keeps the broker from nothing. */
  private async sweepTokens(agentId: string): Promise<void> {
    const warn = (error: unknown) =>
      this.options.log.warn({ agentId, err: error }, 'what is left of a token could not be removed');
    const runs = await this.roster.runs(agentId).catch(warn);
    for (const run of runs ?? []) await run.removeUnfinishedTokens().catch(warn);
  }

  /** Ends the run that the hub knows of and the one that was started last here, which are mostly the same. */
  private async endAll(
    agentId: string,
    runId: string | null,
    graceMs: number,
    purpose: StopOrder['purpose'],
  ) {
    const latest = await this.roster.find(agentId);
    for (const old of new Set([runId, latest?.runId])) {
      if (old !== null && old !== undefined) await this.end(agentId, old, graceMs, () => true, purpose);
    }
  }

  private async end(
    agentId: string,
    runId: string,
    graceMs: number,
    mayBegin: MayBegin,
    purpose?: StopOrder['purpose'],
  ) {
    const run = this.roster.run(agentId, runId);
    const exit = await endRun(run, { graceMs, purpose, mayBegin, signal: this.over.signal });
    this.followers.look(runId);
    return exit;
  }

  private async pidOnceStarted(run: RunFolder, given: AbortSignal): Promise<number> {
    const state = await until(run.path, async () => settledStart(await run.state()), {
      withinMs: START_WITHIN_MS,
      signal: AbortSignal.any([this.over.signal, given]),
    });
    switch (state?.kind) {
      case 'running':
        return state.child.pid;
      case 'ended': {
        const child = await run.child();
        const { reason, detail } = state.exit;
        if (child === undefined && (reason === 'start_failed' || reason === 'limit_refused'))
          throw new KnownFailure(reason, detail ?? 'The command could not be started.');
        return child?.pid ?? 0;
      }
      case 'vanished': {
        const child = await run.child();
        if (child !== undefined) return child.pid;
        throw new KnownFailure('start_failed', 'Its supervisor ended before the command had started.');
      }
      case undefined: {
        if (this.over.signal.aborted) throw new OpInterrupted();
        // Nothing may start later that its caller was told has failed.
        const detail = given.aborted ? 'It was cancelled.' : 'The command did not start in time.';
        await run.callOff({ reason: 'start_failed', detail });
        throw new KnownFailure(given.aborted ? 'cancelled' : 'start_failed', detail);
      }
    }
  }
}

function isOver({ kind }: RunState): boolean {
  return kind === 'ended' || kind === 'vanished';
}

type Settled = Exclude<RunState, { kind: 'starting' | 'unclaimed' }>;

function settledStart(state: RunState): Settled | undefined {
  return state.kind === 'starting' || state.kind === 'unclaimed' ? undefined : state;
}
