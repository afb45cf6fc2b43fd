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
    reason: reasonOf(record),
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

/** One sentence on why a dispatch has not ended yet. */
function reasonOf(record: DispatchRecord): string | null {
  const { state, connected, position, retryAt, notBefore } = record;
  const restsUntil = Math.max(retryAt?.getTime() ?? 0, notBefore?.getTime() ?? 0);
  switch (state) {
    case 'pending':
      if (restsUntil > Date.now()) return `It is not sent before ${new Date(restsUntil).toISOString()}.`;
      if (connected === false) return 'The broker is not connected; it is sent when the broker comes back.';
      return (position ?? 0) > 0
        ? 'Earlier commands of the broker are before it.'
        : 'It is about to be sent.';
    case 'claimed':
      return connected === false
        ? 'It was on its way when the broker went away, which had not said that it has it.'
        : 'It is on its way; the broker has not said yet that it has it.';
    case 'running':
      return connected === false
        ? 'The broker has it and is not connected; it tells the outcome when it comes back.'
        : 'The broker has it and has not told the outcome yet.';
    case 'succeeded':
    case 'failed':
    case 'cancelled':
    case 'expired':
    case 'dead':
      return null;
  }
}
