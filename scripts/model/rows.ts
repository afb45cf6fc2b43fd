/** What happens to a row: always by the transition function that production uses, and by nothing else. */
import { hasEnded, stateAfter, transition, type Happening } from '../../src/hub/dispatch/state.js';
import type { Ending, Row, World } from './world.js';

/** Failures after which a command is dead; fewer than production has, since each makes the worlds many more. */
export const FAILURES_MOST = 2;

export const nameOf = (command: number): string => `command ${String.fromCharCode(65 + command)}`;

export function isLive(row: Row | undefined): row is Row {
  return row !== undefined && !hasEnded(row.state);
}

/** Claimed or running: an attempt may be with the broker. */
export function isOut(row: Row | undefined): row is Row {
  return isLive(row) && row.state !== 'pending';
}

/** Lets something happen to a row that allows it. @returns false where it does not, and nothing happened */
export function happen(row: Row, happening: Happening, ending: Ending | null = null): boolean {
  if (transition(row.state, happening) === undefined) return false;
  force(row, happening, ending);
  return true;
}

/** The same where the step knows that the row allows it. @throws Error where it does not: a fault of the model, or of production's rules */
export function must(row: Row, happening: Happening, ending: Ending | null = null): void {
  if (!happen(row, happening, ending)) throw new Error(`${happening} cannot happen to what is ${row.state}`);
}

/** The same without the fence of states, for where that is taken out. */
export function force(row: Row, happening: Happening, ending: Ending | null = null): void {
  row.state = stateAfter(happening);
  if (row.state === 'pending') row.claim = null;
  if (!hasEnded(row.state)) return;
  row.ending = ending;
  row.endings += 1;
  row.claim = null;
}

/** Whether a command must wait for another of its key: an earlier one that lives, or any that is out. */
export function waitsForItsKey({ rows }: World, keys: readonly (string | null)[], command: number): boolean {
  const key = keys[command] ?? null;
  if (key === null) return false;
  return rows.some(
    (row, other) =>
      other !== command && keys[other] === key && isLive(row) && (other < command || isOut(row)),
  );
}
