import type { Inspection } from '../../protocol/op.js';
import { KnownFailure } from '../dispatches/op-failure.js';
import { environmentOf } from './command.js';
import { outputFiles } from './output.js';
import { reportOf } from './report.js';
import type { RunFolder, RunState } from './run-folder.js';

/** @throws OpFailure `agent_not_running` where the run was never begun */
export async function inspect(agentId: string, runId: string, run: RunFolder): Promise<Inspection> {
  const order = await run.order();
  const state = await run.state();
  if (order === undefined || state.kind === 'unclaimed')
    throw new KnownFailure('agent_not_running', 'The run of the agent has not begun.');
  const { exitCode, detail, restarts } = reportOf(agentId, runId, state);
  const files = await outputFiles(run.outputPath);
  return {
    runId,
    state: wordOf(state),
    pid: (await run.child())?.pid ?? null,
    startedAt: (await run.childStartedAt())?.toISOString() ?? null,
    restarts,
    exitCode,
    detail,
    isSupervised: state.kind === 'starting' || (state.kind === 'running' && state.isSupervised),
    stdin: order.spec.stdin ?? 'closed',
    environment: Object.keys(environmentOf(order)).sort(),
    limits: order.spec.limits,
    output: { files, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) },
  };
}

function wordOf(state: Exclude<RunState, { kind: 'unclaimed' }>): Inspection['state'] {
  return state.kind === 'running' && state.isStopping ? 'stopping' : state.kind;
}
