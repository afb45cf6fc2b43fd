import { describe, expect, it } from '@jest/globals';
import { PROBLEMS } from '../hub/problems/code.js';
import { EXIT, exitCodeHelp, exitCodeOfState, exitCodeOfStatus } from './exit-code.js';

describe('an exit code', () => {
  it('is more than "unexpected" for every problem of the hub but its own failure', () => {
    const unexpected = Object.entries(PROBLEMS)
      .filter(([, { status }]) => exitCodeOfStatus(status) === EXIT.failed)
      .map(([code]) => code);

    expect(unexpected).toEqual(['internal']);
  });

  it('is never 0 for a refusal', () => {
    const statuses = Array.from({ length: 300 }, (_, index) => 300 + index);

    expect(statuses.filter((status) => exitCodeOfStatus(status) === EXIT.ok)).toEqual([]);
  });

  it('tells an end that was waited for from one that did not come', () => {
    expect(exitCodeOfState('succeeded')).toBe(0);
    expect((['failed', 'cancelled', 'expired', 'dead'] as const).map(exitCodeOfState)).toEqual([1, 1, 1, 1]);
    expect((['pending', 'claimed', 'running'] as const).map(exitCodeOfState)).toEqual([6, 6, 6]);
  });

  it('is documented', () => {
    const documented = [...exitCodeHelp().matchAll(/^ +(\d+) {2}/gm)].map(([, code]) => Number(code));

    expect(documented).toEqual(Object.values(EXIT));
  });
});
