import type { ReportedPhase } from '../../protocol/frame.js';

/** The phases of an agent; what a broker reports of a run never moves it backwards. */
export const PHASES = [
  'created',
  'starting',
  'running',
  'stopping',
  'stopped',
  'failed',
  'deleting',
  'deleted',
] as const;

export type Phase = (typeof PHASES)[number];
/** What is wished for of an agent, whatever phase it is in. */
export const WISHES = ['running', 'stopped', 'deleted'] as const;
export type Wanted = (typeof WISHES)[number];
export type Verb = 'start' | 'stop' | 'restart' | 'delete';

/** What a verb makes of an agent: the phase it enters, and what is wished for from then on. */
export type Step = { phase: Phase; wanted: Wanted; newRun: boolean };

/** Why a verb cannot be done now, as a problem code. */
export type Refusal = 'start_in_progress' | 'agent_not_started' | 'agent_deleted';

/** Whether an agent waits in a phase for the end of its latest command. */
export function isOnItsWay(phase: Phase): boolean {
  return phase === 'starting' || phase === 'stopping' || phase === 'deleting';
}

/** What a verb does to an agent in a phase. */
export function stepOf(verb: Verb, phase: Phase, hasRun: boolean): Step | Refusal {
  if (phase === 'deleted' || (phase === 'deleting' && verb !== 'delete')) return 'agent_deleted';
  switch (verb) {
    case 'start':
      if (phase === 'starting' || phase === 'running') return 'start_in_progress';
      return { phase: 'starting', wanted: 'running', newRun: true };
    case 'restart':
      return { phase: 'starting', wanted: 'running', newRun: true };
    case 'stop':
      if (!hasRun) return 'agent_not_started';
      return {
        phase: phase === 'stopped' || phase === 'failed' ? phase : 'stopping',
        wanted: 'stopped',
        newRun: false,
      };
    case 'delete':
      return { phase: 'deleting', wanted: 'deleted', newRun: false };
  }
}

/** The phases that a report of the same run may replace with its own. */
export function phasesBefore(reported: ReportedPhase): readonly Phase[] {
  switch (reported) {
    case 'starting':
      return [];
    case 'running':
      return ['starting'];
    case 'stopping':
      return ['starting', 'running'];
    case 'stopped':
    case 'failed':
      return ['starting', 'running', 'stopping'];
  }
}
