import type { AgentReport } from '../../protocol/frame.js';
import { phasesBefore, type Phase } from './phase.js';

/** What a broker last told of an agent. */
export type ToldRun = Pick<AgentReport, 'runId' | 'phase'>;

/** What the rows say of an agent. */
export type KnownAgent = {
  id: string;
  brokerId: string;
  runId: string | null;
  phase: Phase;
  /** Whether its latest command has not ended, or the agent has not followed its end: that decides, and what it does is on its way. */
  isCommanded: boolean;
};

/** What a run is that goes on and that nobody wants there: of an agent that the hub knows, or of none. */
export const STRAY_KINDS = ['orphan', 'stranger'] as const;
export type StrayKind = (typeof STRAY_KINDS)[number];

/** Why nobody wants it there. */
export const STRAY_REASONS = [
  'agent_unknown',
  'agent_deleted',
  'agent_elsewhere',
  'run_ended',
  'run_superseded',
] as const;
export type StrayReason = (typeof STRAY_REASONS)[number];

export type Stray = {
  kind: StrayKind;
  reason: StrayReason;
  agentId: string;
  runId: string;
  phase: StrayPhase;
};

/** A run by its agent and its own id. */
export type RunOf = { agentId: string; runId: string };

/** In what a broker and the rows differ. */
export type Drift = {
  /** Goes on by the rows; the broker does not know it. */
  lost: RunOf[];
  /** The broker has told more of it than the rows say: its report is to be taken once more. */
  behind: RunOf[];
  strays: Stray[];
  /** They differ in what a command explains, and that may be given up yet: then the agent is as it was before, and nobody will tell. */
  mayBeUndone: boolean;
};

/** The phases in which a run goes on, by the rows or by its broker. */
export const STRAY_PHASES = ['starting', 'running', 'stopping'] as const;
export type StrayPhase = (typeof STRAY_PHASES)[number];

function goesOn(phase: Phase): phase is StrayPhase {
  return (STRAY_PHASES as readonly Phase[]).includes(phase);
}

/**
 * Compares all that a broker has told with the rows. Whatever a command that has not ended may explain is no drift, and
 * neither is what is over on both sides.
 *
 * @param told by agent; complete: what is not in it the broker does not know
 * @param known all agents that are told of, and all of the broker's whose phase goes on, or that are being deleted
 */
export function driftOf(
  brokerId: string,
  told: ReadonlyMap<string, ToldRun>,
  known: readonly KnownAgent[],
): Drift {
  const byId = new Map(known.map((agent) => [agent.id, agent]));
  const drift: Drift = { lost: [], behind: [], strays: [], mayBeUndone: false };
  for (const [agentId, { runId, phase }] of told) {
    const agent = byId.get(agentId);
    if (agent?.brokerId === brokerId && agent.isCommanded && (agent.runId !== runId || agent.phase !== phase))
      drift.mayBeUndone = true;
    if (agent !== undefined && isBehind(brokerId, agent, { runId, phase })) {
      drift.behind.push({ agentId, runId });
    } else if (goesOn(phase)) {
      const reason = strayReason(brokerId, agent, runId);
      const kind = agent === undefined ? 'stranger' : 'orphan';
      if (reason !== undefined) drift.strays.push({ kind, reason, agentId, runId, phase });
    }
  }
  for (const { id: agentId, brokerId: at, runId, phase, isCommanded } of known) {
    if (at !== brokerId || runId === null || told.get(agentId)?.runId === runId) continue;
    if (isCommanded) drift.mayBeUndone = true;
    else if (goesOn(phase)) drift.lost.push({ agentId, runId });
  }
  return drift;
}

function isBehind(brokerId: string, agent: KnownAgent, { runId, phase }: ToldRun): boolean {
  return agent.brokerId === brokerId && agent.runId === runId && phasesBefore(phase).includes(agent.phase);
}

function strayReason(
  brokerId: string,
  agent: KnownAgent | undefined,
  runId: string,
): StrayReason | undefined {
  if (agent === undefined) return 'agent_unknown';
  if (agent.brokerId !== brokerId) return 'agent_elsewhere';
  if (agent.isCommanded || agent.phase === 'deleting') return undefined;
  if (agent.phase === 'deleted') return 'agent_deleted';
  if (agent.runId !== runId) return 'run_superseded';
  return goesOn(agent.phase) ? undefined : 'run_ended';
}
