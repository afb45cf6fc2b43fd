import { describe, expect, it } from '@jest/globals';
import type { Phase } from './phase.js';
import { KEPT_OF_EACH_END, undoOf, type Judged } from './undo.js';

/** A state that the command of a number had led to; number 0 is what stood before all of them. */
function after(number: number, end: Judged['end'] = null, over: Partial<Judged['state']> = {}): Judged {
  const phase: Phase = number === 0 ? 'running' : 'starting';
  const how = { wanted: 'running', exitCode: null, detail: null, restarts: 0 } as const;
  const [dispatchId, command] = [`c${number}`, `c${number + 1}`];
  return { state: { ...how, phase, runId: `r${number}`, dispatchId, command, ...over }, end };
}
const linksOf = (command: string, states: readonly Judged[]) =>
  undoOf(command, states).map(({ command: by, dispatchId }) => `${by} ${dispatchId}`);

describe('what a command leaves behind', () => {
  it('is the agent as it was, and nothing below where that waits for no command', () => {
    expect(linksOf('c1', [after(0), after(7)])).toEqual(['c1 c0']);
  });

  it('is below a command on its way what that one left behind', () => {
    expect(linksOf('c3', [after(2), after(1), after(0)])).toEqual(['c3 c2', 'c2 c1', 'c1 c0']);
  });

  it('leaves out what was given up meanwhile', () => {
    const states = [after(3), after(2, 'given_up'), after(1, 'given_up'), after(0)];

    expect(linksOf('c4', states)).toEqual(['c4 c3', 'c3 c0']);
    expect(linksOf('c4', [after(3, 'given_up'), ...states.slice(1)])).toEqual(['c4 c0']);
  });

  it('ends with what has ended otherwise, whose run took the place of those before', () => {
    expect(linksOf('c3', [after(2), after(1, 'other'), after(0)])).toEqual(['c3 c2', 'c2 c1']);
  });

  it('takes nothing for what lies below a command of which nothing was kept', () => {
    const states = [after(5, 'given_up'), after(1), after(0)];

    expect(linksOf('c6', states)).toEqual(['c6 c5']);
  });

  it('is of so many at most: the latest, of which each leads to the next, and the first', () => {
    const count = 3 * KEPT_OF_EACH_END;
    const states = Array.from({ length: count }, (_state, at) => after(count - 1 - at));

    const undo = undoOf(`c${count}`, states);

    expect(undo).toHaveLength(2 * KEPT_OF_EACH_END);
    expect(undo.map(({ command }) => command)).toEqual([
      `c${count}`,
      ...undo.slice(0, -1).map(({ dispatchId }) => dispatchId),
    ]);
    expect(undo[0]?.dispatchId).toBe(`c${count - 1}`);
    expect(undo.at(-1)).toMatchObject({ phase: 'running', runId: 'r0' });
  });
});
