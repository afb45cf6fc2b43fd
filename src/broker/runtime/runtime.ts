/**
 * Runs agents as processes of this machine. Everything it does may be done again: a run is started once however
 * often it is asked for, and stopping what has ended tells how it ended. So a command that was begun by an earlier
 * life of the broker is simply done again.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { AgentReport } from '../../protocol/frame.js';
import type { OpArgs, OpBody } from '../../protocol/op.js';
import { OpFailure } from '../dispatches/op-failure.js';
import { signalGroup } from '../process-identity.js';
import { lastLines } from './output.js';
import { reportOf } from './report.js';
import { Roster } from './roster.js';
import type { RunExit, RunFolder, RunState } from './run-folder.js';
import { until } from './until.js';

const SHIM = fileURLToPath(new URL('./shim.js', import.meta.url));
const START_WITHIN_MS = 15_000;
/** Past the grace: time for SIGKILL to be felt and the end to be written. */
const END_WITHIN_MS = 10_000;
const LOG_BYTES = 200 * 1024;

export class ProcessRuntime {
  private readonly roster: Roster;
  private readonly over = new AbortController();
  private readonly followed = new Map<string, Promise<void>>();

  constructor(
    agentsPath: string,
    private readonly report: (report: AgentReport) => void,
  ) {
    this.roster = new Roster(agentsPath);
  }

  /** Finds the runs of earlier lives: those that go on are followed, and what ended meanwhile is reported. */
  async recover(): Promise<void> {
    for (const { agentId, runId } of await this.roster.all()) this.follow(agentId, runId);
  }

  /** Agents whose latest run goes on. */
  async countRunning(): Promise<number> {
    const entries = await this.roster.all();
    const states = await Promise.all(
      entries.map(({ agentId, runId }) => this.roster.run(agentId, runId).state()),
    );
    return states.filter(isLive).length;
  }

  /** Ends the following; the processes go on. */
  async stop(): Promise<void> {
    this.over.abort();
    await Promise.all(this.followed.values());
  }

  /** Stops every run there is. */
  async stopAll(graceMs: number): Promise<void> {
    const entries = await this.roster.all();
    await Promise.all(
      entries.map(({ agentId, runId }) => this.end(this.roster.run(agentId, runId), graceMs)),
    );
  }

  /**
   * @param mayBegin whether a run that no shim has taken yet may still be launched
   * @throws OpFailure `already_running`, `start_failed`, `deadline_passed`
   */
  async startRun(
    { agentId, name, runId, spec }: OpArgs['agent.start'],
    mayBegin: () => boolean,
  ): Promise<OpBody['agent.start']> {
    const run = this.roster.run(agentId, runId);
    const latest = await this.roster.find(agentId);
    if (
      latest !== undefined &&
      latest.runId !== runId &&
      isLive(await this.roster.run(agentId, latest.runId).state())
    ) {
      throw new OpFailure('already_running', `The agent runs already, as ${latest.runId}.`);
    }
    if ((await run.state()).kind === 'unclaimed') {
      if (!mayBegin())
        throw new OpFailure('deadline_passed', 'The deadline passed before the agent was started.');
      await run.make({ agentId, name, runId, spec, workFolder: this.roster.workFolder(agentId) });
      await this.roster.keep({ agentId, name, runId });
      launch(run);
    }
    this.follow(agentId, runId);
    const state = await until(run.path, async () => settledStart(await run.state()), {
      withinMs: START_WITHIN_MS,
      signal: this.over.signal,
    });
    switch (state?.kind) {
      case 'running':
        return { runId, pid: state.child.pid };
      case 'ended':
        if (state.exit.reason === 'start_failed') {
          throw new OpFailure('start_failed', state.exit.detail ?? 'The command could not be started.');
        }
        return { runId, pid: 0 };
      case 'vanished':
        throw new OpFailure('start_failed', 'Its supervisor ended before the command had started.');
      default:
        throw new OpFailure('start_failed', 'The command did not start in time.');
    }
  }

  async stopRun({ agentId, runId, graceMs }: OpArgs['agent.stop']): Promise<OpBody['agent.stop']> {
    const exit = await this.end(this.roster.run(agentId, runId), graceMs);
    return { runId, exitCode: exit?.exitCode ?? null };
  }

  /** Stops whatever runs, then starts the new run; where that one was started before, nothing is stopped. */
  async restart(args: OpArgs['agent.restart'], mayBegin: () => boolean): Promise<OpBody['agent.restart']> {
    const { agentId, runId, graceMs, fromRunId } = args;
    const latest = await this.roster.find(agentId);
    for (const old of new Set([fromRunId, latest?.runId])) {
      if (old !== null && old !== undefined && old !== runId)
        await this.end(this.roster.run(agentId, old), graceMs);
    }
    return this.startRun(args, mayBegin);
  }

  async delete({ agentId, runId, graceMs }: OpArgs['agent.delete']): Promise<OpBody['agent.delete']> {
    const latest = await this.roster.find(agentId);
    for (const old of new Set([runId, latest?.runId])) {
      if (old !== null && old !== undefined) await this.end(this.roster.run(agentId, old), graceMs);
    }
    await this.roster.forget(agentId);
    return {};
  }

  async logs({ agentId, lines }: OpArgs['agent.logs']): Promise<OpBody['agent.logs']> {
    const latest = await this.roster.find(agentId);
    if (latest === undefined) return { lines: [], truncated: false };
    return lastLines(this.roster.run(agentId, latest.runId).outputPath, lines, LOG_BYTES);
  }

  /** @returns how it ended; undefined where nobody can tell, or it never began */
  private async end(run: RunFolder, graceMs: number): Promise<RunExit | undefined> {
    const state = await run.state();
    if (state.kind === 'ended') return state.exit;
    if (!isLive(state)) return undefined;
    await run.askToStop({ graceMs });
    if (state.kind === 'running' && !state.isSupervised) await endUnsupervised(run, state.child.pid, graceMs);
    const ended = await until(
      run.path,
      async () => {
        const now = await run.state();
        return isLive(now) ? undefined : now;
      },
      { withinMs: graceMs + END_WITHIN_MS },
    );
    if (ended === undefined) throw new OpFailure('stop_failed', 'The process did not end, even by SIGKILL.');
    return ended.kind === 'ended' ? ended.exit : undefined;
  }

  /** Reports every change of a run until it is over. */
  private follow(agentId: string, runId: string): void {
    if (this.followed.has(runId)) return;
    const run = this.roster.run(agentId, runId);
    let told = '';
    const following = until(
      run.path,
      async () => {
        const report = reportOf(agentId, runId, await run.state());
        const text = JSON.stringify(report);
        if (text !== told) this.report(report);
        told = text;
        return report.phase === 'stopped' || report.phase === 'failed' ? true : undefined;
      },
      { signal: this.over.signal },
    )
      // The folder went with its agent: there is nothing left to tell.
      .catch(() => undefined)
      .then(() => void this.followed.delete(runId));
    this.followed.set(runId, following);
  }
}

function launch(run: RunFolder): void {
  spawn(process.execPath, [SHIM, run.path], { detached: true, stdio: 'ignore', cwd: '/' })
    .on('error', () => undefined)
    .unref();
}

/** The shim is gone, and the command goes on: it is signalled from here. */
async function endUnsupervised(run: RunFolder, pid: number, graceMs: number): Promise<void> {
  signalGroup(pid, 'SIGTERM');
  const gone = await until(
    run.path,
    async () => ((await run.state()).kind === 'running' ? undefined : true),
    {
      withinMs: graceMs,
    },
  );
  if (gone === undefined) signalGroup(pid, 'SIGKILL');
}

function isLive(state: RunState): state is Extract<RunState, { kind: 'starting' | 'running' }> {
  return state.kind === 'starting' || state.kind === 'running';
}

function settledStart(state: RunState): RunState | undefined {
  return state.kind === 'starting' || state.kind === 'unclaimed' ? undefined : state;
}
