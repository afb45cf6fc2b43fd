import type { AgentReport } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import type { Restart, RunExit, RunState } from './run-folder.js';

/** What the hub is told of a run. */
export function reportOf(agentId: string, runId: string, state: RunState): AgentReport {
  const report = { agentId, runId, exitCode: null, detail: null, restarts: 0 };
  switch (state.kind) {
    case 'unclaimed':
    case 'starting':
      return { ...report, phase: 'starting' };
    case 'running':
      return { ...report, ...restartOf(state.restart), phase: state.isStopping ? 'stopping' : 'running' };
    case 'vanished':
      return {
        ...report,
        restarts: state.restart?.count ?? 0,
        phase: state.wasToStop ? 'stopped' : 'failed',
        detail: 'It ended while nobody watched; its exit code is not known.',
      };
    case 'ended':
      return {
        ...report,
        ...phaseOf(state.exit),
        exitCode: state.exit.exitCode,
        restarts: state.restart?.count ?? 0,
      };
  }
}

/** How a command ended, in words for people. */
export function sentenceOf({
  exitCode,
  signal,
  detail,
}: Pick<RunExit, 'exitCode' | 'signal' | 'detail'>): string {
  if (detail !== null) return detail;
  return signal === null ? `It ended with exit code ${exitCode ?? -1}.` : `It was ended by ${signal}.`;
}

/** One word for each restart, the same while it is due and once it is made: told late, it takes nothing back. */
function restartOf(restart: Restart | undefined): Pick<AgentReport, 'exitCode' | 'detail' | 'restarts'> {
  if (restart === undefined) return { exitCode: null, detail: null, restarts: 0 };
  const { count, dueAt, exit } = restart;
  const detail = fitting(`Restart ${count}, at ${dueAt}: ${sentenceOf(exit)}`);
  return { exitCode: exit.exitCode, detail, restarts: count };
}

/** A stop that was asked for is `stopped` whatever the exit code; any other end than 0 is a failure. */
function phaseOf(exit: RunExit): Pick<AgentReport, 'phase' | 'detail'> {
  if (exit.reason === 'stopped' || (exit.reason === 'exited' && exit.exitCode === 0))
    return { phase: 'stopped', detail: null };
  return { phase: 'failed', detail: fitting(sentenceOf(exit)) };
}

/** A hub takes no longer one, and would cut the link at each attempt to tell it. */
function fitting(detail: string): string {
  return detail.slice(0, LIMITS.messageLength);
}
