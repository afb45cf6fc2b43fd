import type { TrailDto } from '../../src/hub/dispatch/dto/dispatch.dto.js';

const LEGAL: Readonly<Record<string, readonly string[]>> = {
  '': ['pending'],
  pending: ['claimed', 'expired'],
  claimed: ['running', 'pending', 'succeeded', 'failed', 'expired'],
  running: ['running', 'pending', 'succeeded', 'failed', 'expired'],
};

/**
 * What is wrong with a trail, as sentences: a step that cannot follow the one before, more or less than one ending,
 * a time or an attempt that runs backwards. None for a trail as it should be.
 */
export function faultsOf(trail: TrailDto['trail']): string[] {
  const faults: string[] = [];
  let before = { state: '', at: '', attempt: 0 };
  for (const { state, at, attempt = before.attempt } of trail) {
    if (LEGAL[before.state]?.includes(state) !== true)
      faults.push(`${state} after ${before.state || 'nothing'}`);
    if (at < before.at) faults.push(`${state} is earlier than ${before.state}`);
    if (attempt < before.attempt) faults.push(`attempt ${attempt} after attempt ${before.attempt}`);
    before = { state, at, attempt };
  }
  if (LEGAL[before.state] !== undefined) faults.push('no ending');
  return faults;
}
