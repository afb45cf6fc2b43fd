/** What clients were told of their commands, against what became of those. */
import { hasEnded } from '../../src/hub/dispatch/state.js';
import { isState } from '../../src/hub/proof/path.js';
import type { Answer, Call } from './record.js';
import type { TrailLine } from './trail-line.js';

export type ByNote = ReadonlyMap<string | null, TrailLine>;

/** The statement that stores an ending takes the time of its beginning, and may wait for the disk or for a row. */
const STORED_WITHIN_MS = 5_000;
/** The longest that a client waits for the answer to one call, and then some. */
const READ_WITHIN_MS = 25_000;

/** Who reads how a command is, and asks after its ending, is told the ending. */
export function staleOf(answers: readonly Answer[], byNote: ByNote): string[] {
  return answers.flatMap(({ readMs, idempotencyKey, state }) => {
    const trail = byNote.get(idempotencyKey);
    if (readMs === undefined || trail === undefined || state === trail.state) return [];
    if (readMs <= trail.endedMs + STORED_WITHIN_MS) return [];
    const agoMs = readMs - trail.endedMs;
    return [
      `a client that asked ${agoMs} ms after ${trail.id} had ${trail.state} was told that it is ${state}`,
    ];
  });
}

/**
 * Nobody is told of what is not on record yet: an ending was stored before a client heard of it, and so was a command that a client was told
 * is accepted. The statement that stores it is begun before that, by the clock of this machine, which is that of clients as well.
 */
export function prematureOf(answers: readonly Answer[], byNote: ByNote): string[] {
  return answers.flatMap(({ idempotencyKey, state, answeredAt }) => {
    const trail = byNote.get(idempotencyKey);
    if (trail === undefined || !isState(state)) return [];
    const aheadMs = (hasEnded(state) ? trail.endedMs : trail.createdMs) - Date.parse(answeredAt);
    if (aheadMs <= 0) return [];
    return [
      `at ${answeredAt} a client was told ${state} of ${trail.id}, ${aheadMs} ms before that was stored`,
    ];
  });
}

/** Who waits for an ending, and still asks when that has long been there, learns it. */
export function untoldOf(calls: readonly Call[], byNote: ByNote): string[] {
  return calls.flatMap(({ idempotencyKey, waited, endedMs, askedMs }) => {
    const trail = byNote.get(idempotencyKey);
    if (!waited || endedMs !== null || trail === undefined) return [];
    if (askedMs === null || askedMs <= trail.endedMs + READ_WITHIN_MS) return [];
    const agoMs = askedMs - trail.endedMs;
    return [
      `a client that waited was never told that ${trail.id} had ${trail.state}, and asked ${agoMs} ms after it`,
    ];
  });
}

/**
 * What a hub refused for certain it has not stored, so that whatever is on record of it was stored later. The statement that stores a
 * command is begun when it was asked for, and the database's clock is that of this machine.
 */
export function refusedOf(calls: readonly Call[], byNote: ByNote): string[] {
  return calls.flatMap(({ idempotencyKey, refusedMs }) => {
    const trail = byNote.get(idempotencyKey);
    if (refusedMs === undefined || trail === undefined || trail.createdMs > refusedMs) return [];
    return [
      `a client was refused ${trail.id}, which had been stored ${refusedMs - trail.createdMs} ms before`,
    ];
  });
}
