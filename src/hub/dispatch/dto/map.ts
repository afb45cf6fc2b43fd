import type { DispatchRecord, TrailStep } from '../record.js';
import type { DispatchDto, DispatchEnvelopeDto } from './dispatch.dto.js';

/** The public face of a dispatch. */
export function toDispatchDto(record: DispatchRecord): DispatchDto {
  return {
    id: record.id,
    op: record.op,
    state: record.state,
    lane: record.lane,
    broker: { id: record.brokerId, name: record.brokerName },
    agent: record.agentId,
    orderingKey: record.orderingKey,
    attempt: record.attempt,
    createdAt: record.createdAt.toISOString(),
    deadlineAt: record.deadlineAt.toISOString(),
    endedAt: record.endedAt?.toISOString() ?? null,
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

/** One sentence on why a dispatch has not ended yet. */
function reasonOf({ state, connected, position }: DispatchRecord): string | null {
  switch (state) {
    case 'pending':
      if (connected === false) return 'The broker is not connected; it is sent when the broker comes back.';
      return (position ?? 0) > 0
        ? 'Earlier commands of the broker are before it.'
        : 'It is about to be sent.';
    case 'claimed':
      return connected === false
        ? 'It was sent, and the broker went away before it said that it has it.'
        : 'It was sent; the broker has not said yet that it has it.';
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
