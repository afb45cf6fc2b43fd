/** Stopping a run, whatever has become of its supervisor. */
import { KnownFailure, OpInterrupted } from '../dispatches/op-failure.js';
import { killGroup, signalGroup, type ProcessIdentity } from '../process-identity.js';
import type { RunExit, RunFolder, RunState, StopOrder } from './run-folder.js';
import { until } from './until.js';

/** Past the grace: time for SIGKILL to be felt and the end to be written. */
const END_WITHIN_MS = 10_000;

type LiveState = Extract<RunState, { kind: 'starting' | 'running' }>;

export function isLive(state: RunState): state is LiveState {
  return state.kind === 'starting' || state.kind === 'running';
}

type EndOptions = {
  graceMs: number;
  purpose?: StopOrder['purpose'];
  /** Whether a run that was not asked to stop yet may still be. */
  mayBegin: () => boolean;
  /** Ends the waiting; the stop itself goes on. */
  signal: AbortSignal;
};

/**
 * Stops a run and waits for its end. May be repeated: one that has ended is left alone, and of several stops the
 * first one's grace counts.
 *
 * @returns how it ended; undefined where nobody can tell, or it never began
 * @throws OpFailure `deadline_passed`, `stop_failed`
 * @throws OpInterrupted when the signal is given first
 */
export async function endRun(
  run: RunFolder,
  { graceMs, purpose, mayBegin, signal }: EndOptions,
): Promise<RunExit | undefined> {
  const state = await run.state();
  if (state.kind === 'ended') return state.exit;
  if (state.kind === 'vanished') return undefined;
  const order = await run.order();
  if (order === undefined) return undefined;
  if ((await run.stopOrder()) === undefined && !mayBegin()) {
    throw new KnownFailure('deadline_passed', 'The deadline passed before the agent was stopped.');
  }
  await run.askToStop({ graceMs, purpose });
  if (state.kind === 'unclaimed') await run.callOff({ reason: 'stopped', detail: null });
  const over = await until(
    run.path,
    async () => {
      const now = await run.state();
      if (isOrphaned(now)) await endOrphan(run, now.child, graceMs, signal);
      return isLive(now) ? undefined : now;
    },
    { withinMs: graceMs + END_WITHIN_MS, signal },
  );
  if (signal.aborted && over === undefined) throw new OpInterrupted();
  if (over === undefined) throw new KnownFailure('stop_failed', 'The process did not end, even by SIGKILL.');
  return over.kind === 'ended' ? over.exit : undefined;
}

function isOrphaned(state: RunState): state is Extract<RunState, { kind: 'running' }> {
  return state.kind === 'running' && !state.isSupervised;
}

/** The shim is gone, and the command goes on: it is signalled from here. */
async function endOrphan(
  run: RunFolder,
  child: ProcessIdentity,
  graceMs: number,
  signal: AbortSignal,
): Promise<void> {
  signalGroup(child.pid, 'SIGTERM');
  const gone = async () => (isLive(await run.state()) ? undefined : true);
  await until(run.path, gone, { withinMs: graceMs, signal });
  if (!signal.aborted) killGroup(child);
}
