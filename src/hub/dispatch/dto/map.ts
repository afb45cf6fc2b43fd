import type { DispatchRecord, ProgressRecord, TrailStep } from '../record.js';
import { hasEnded } from '../state.js';
import type {
  CancelDto,
  CancelOutcome,
  DispatchDto,
  DispatchEnvelopeDto,
  ProgressDto,
} from './dispatch.dto.js';

/** The public face of a dispatch. */
export function toDispatchDto(record: DispatchRecord): DispatchDto {
  return {
    id: record.id,
    op: record.op,
    state: record.state,
    lane: record.lane,
    project: record.projectId,
    broker: { id: record.brokerId, name: record.brokerName },
    agent: record.agentId,
    orderingKey: record.orderingKey,
    attempt: record.attempt,
    failures: record.failures,
    contract: record.contract,
    notBefore: record.notBefore?.toISOString() ?? null,
    cancel: cancelOf(record),
    redriveOf: record.redriveOf,
    createdAt: record.createdAt.toISOString(),
    deadlineAt: record.deadlineAt.toISOString(),
    endedAt: record.endedAt?.toISOString() ?? null,
    progress: progressOf(record.progress),
    position: record.position,
    reason: record.reason,
    result: record.result,
    error: record.error,
  };
}

export function toEnvelope(record: DispatchRecord): DispatchEnvelopeDto {
  return { dispatch: toDispatchDto(record) };
}

/** Its time keeps the database's microseconds, by which steps can be told apart. */
export function toTrailStep(step: TrailStep): TrailStep {
  return { ...step, at: step.at.replace('+00:00', 'Z') };
}

function progressOf(progress: ProgressRecord | null): ProgressDto | null {
  if (progress === null) return null;
  const { fraction, note, at } = progress;
  return { fraction, note, at: new Date(at).toISOString() };
}

function cancelOf(record: DispatchRecord): CancelDto | null {
  if (record.cancelRequestedAt === null) return null;
  return { requestedAt: record.cancelRequestedAt.toISOString(), outcome: cancelOutcome(record) };
}

/** What came of a wish to cancel; it follows from how the dispatch has ended. */
function cancelOutcome({ state, attempt, error }: DispatchRecord): CancelOutcome {
  if (!hasEnded(state)) return 'cancelling';
  if (state === 'cancelled') return attempt === 0 ? 'never_sent' : 'stopped';
  return state === 'expired' || error?.code === 'outcome_unknown' ? 'unknown' : 'too_late';
}
