import { randomUUID } from 'node:crypto';
import { firstIdAt } from '../../src/hub/dispatch/id-time.js';
import { RESENT, type TrailFacts, TrailStep } from '../../src/hub/dispatch/record.js';

export const BROKER = '0198f1a2-7c44-7e11-9d5e-bbbbbbbbbbbb';
export const REPLICA = '0198f1a2-7c44-7e11-9d5e-cccccccccccc';
const BEGIN_MS = Date.UTC(2026, 0, 1);

/** The database's time so many seconds into the history, with microseconds. */
export const at = (s: number): string =>
  new Date(BEGIN_MS + Math.floor(s * 1000)).toISOString().replace('Z', '000Z');

/** An id that was made so many seconds into the history. */
export function idAt(s: number): string {
  return firstIdAt(BEGIN_MS + s * 1000).slice(0, 14) + `7${randomUUID().slice(15)}`;
}

type Step = TrailStep['state'] | Partial<TrailStep>;

/**
 * The facts of one dispatch that was asked for at a time and took one step each second: claims count attempts, and all
 * but the first step tell epoch and attempt. What it became is its last step.
 */
export function dispatchOf(s: number, steps: Step[], given: Partial<TrailFacts> = {}): TrailFacts {
  let attempt = 0;
  const trail = steps.map((step, index): TrailStep => {
    const told = typeof step === 'string' ? { state: step } : step;
    if (told.state === 'claimed' && told.reason !== RESENT) attempt += 1;
    const base = { state: 'pending' as const, at: at(s + index), replica: REPLICA };
    return { ...base, ...(index === 0 ? {} : { epoch: 1, attempt }), ...told };
  });
  const state = [...trail].reverse().find((step) => step.state !== 'late_result')?.state ?? 'pending';
  const isLive = ['pending', 'claimed', 'running'].includes(state);
  return {
    id: idAt(s),
    seq: Math.floor(s * 1000),
    broker: { id: BROKER, name: 'build-1' },
    agent: null,
    op: 'agent.start',
    lane: 'normal',
    orderingKey: null,
    state: state as TrailFacts['state'],
    attempt,
    createdAt: at(s),
    notBefore: null,
    deadlineAt: at(s + 900),
    endedAt: isLive ? null : at(s + steps.length - 1),
    error: null,
    idempotencyKey: null,
    redriveOf: null,
    records: 1,
    readAt: at(s + 100_000),
    trail,
    ...given,
  };
}

export const SUCCESS = ['pending', 'claimed', 'running', 'succeeded'] as const;

export const succeeded = (s: number, given: Partial<TrailFacts> = {}) => dispatchOf(s, [...SUCCESS], given);

export const UNKNOWN = { code: 'outcome_unknown', message: 'It is not known.', retryable: false };
