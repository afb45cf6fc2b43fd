import type { AgentReport } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import type { RunExit, RunState } from './run-folder.js';

/** What the hub is told of a run. */
export function reportOf(agentId: string, runId: string, state: RunState): AgentReport {
  const report = { agentId, runId, exitCode: null, detail: null };
  switch (state.kind) {
    case 'unclaimed':
    case 'starting':
      return { ...report, phase: 'starting' };
    case 'running':
      return { ...report, phase: state.isStopping ? 'stopping' : 'running' };
    case 'vanished':
      return {
        ...report,
        phase: 'failed',
        detail: 'It ended while nobody watched; its exit code is not known.',
      };
    case 'ended':
      return { ...report, ...phaseOf(state.exit), exitCode: state.exit.exitCode };
  }
}

/** A stop that was asked for is `stopped` whatever the exit code; any other end than 0 is a failure. */
function phaseOf({ reason, exitCode, signal, detail }: RunExit): Pick<AgentReport, 'phase' | 'detail'> {
  if (reason === 'stopped' || (reason === 'exited' && exitCode === 0))
    return { phase: 'stopped', detail: null };
  // A hub takes no longer one, and would cut the link at each attempt to tell it.
  if (detail !== null) return { phase: 'failed', detail: detail.slice(0, LIMITS.messageLength) };
  return {
    phase: 'failed',
    detail: signal === null ? `It ended with exit code ${exitCode ?? -1}.` : `It was ended by ${signal}.`,
  };
}
