import { isOnItsWay, type Phase, type Wanted } from './phase.js';

/** What an agent was before a command, and goes back to where that command is given up. */
export type Former = {
  /** The command that led away from it. */
  command: string;
  phase: Phase;
  wanted: Wanted;
  runId: string | null;
  /** The command that had led to it. */
  dispatchId: string | null;
  exitCode: number | null;
  detail: string | null;
  restarts: number;
};

/** What an agent is, or was, and what became of the command that had led to it; null while that has not ended. */
export type Judged = {
  state: Omit<Former, 'command'> & { command?: string };
  end: 'given_up' | 'other' | null;
};

/** Kept of each end of what is on its way for one agent: as many latest ones, and as many first ones. */
export const KEPT_OF_EACH_END = 16;

/**
 * What a new command of an agent leaves behind, latest first: the agent as it is, and below each state whose command is still
 * on its way the one before it, down to one that stands whatever comes.
 *
 * Of commands that are given one after the other before the latest has ended only those that may still be sent need a place
 * to go back to. Where even those are too many the middle is left out: the latest are what somebody cancels, one by one,
 * and the first are where the agent is once all have expired.
 *
 * @param states the agent as it is, and what is kept below, latest first
 */
export function undoOf(command: string, states: readonly Judged[]): Former[] {
  const standing: Judged['state'][] = [];
  for (const [at, { state, end }] of states.entries()) {
    // A replica of the release before keeps nothing: what lies below its command is of an earlier one.
    const leadsOn = isOnItsWay(state.phase) && states[at + 1]?.state.command === state.dispatchId;
    if (!leadsOn || end !== 'given_up') standing.push(state);
    if (!leadsOn || end === 'other') break;
  }
  const kept =
    standing.length <= 2 * KEPT_OF_EACH_END
      ? standing
      : [...standing.slice(0, KEPT_OF_EACH_END), ...standing.slice(-KEPT_OF_EACH_END)];
  return kept.map((state, at) => ({ ...state, command: kept[at - 1]?.dispatchId ?? command }));
}
