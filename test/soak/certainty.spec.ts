import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Certainty } from '../../scripts/soak/certainty.js';

type Heard = Parameters<Certainty['hear']>[0];

const problem = (status: number, code: string): Heard => ({ status, text: JSON.stringify({ code }) });
const BUSY = problem(503, 'replica_fenced');
const LIMITED = problem(429, 'backlog_full');
const IN_DOUBT = problem(503, 'outcome_unknown');
const CUT: Heard = undefined;

function heard(...answers: Heard[]): Certainty {
  const certainty = new Certainty();
  for (const answer of answers) certainty.hear(answer);
  return certainty;
}

describe('what a client of a soak is sure of', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it.each([
    ['is always refused', [BUSY, LIMITED]],
    ['was refused before it was cut', [BUSY, CUT]],
    ['was refused before its outcome was in doubt', [LIMITED, IN_DOUBT]],
  ])('is when nothing of a command had been stored, where it %s', (_what, answers) => {
    const fromMs = Date.now();

    const { refusedMs } = heard(...answers);

    expect(refusedMs).toBeGreaterThanOrEqual(fromMs);
    expect(refusedMs).toBeLessThanOrEqual(Date.now());
  });

  it.each([
    ['was never asked for', []],
    ['was cut before', [CUT, BUSY]],
    ['was in doubt before', [IN_DOUBT, LIMITED]],
    ['was told before what no hub may tell', [problem(500, 'internal'), BUSY]],
  ])('is nothing of the kind of a command that %s', (_what, answers) => {
    expect(heard(...answers).refusedMs).toBeUndefined();
  });

  it('stays as it was at the last refusal before a try that may have been stored', () => {
    jest.useFakeTimers({ now: 1_000 });
    const certainty = heard(BUSY);

    jest.setSystemTime(2_000);
    for (const answer of [LIMITED, CUT]) certainty.hear(answer);
    jest.setSystemTime(3_000);
    certainty.hear(BUSY);

    expect(certainty.refusedMs).toBe(2_000);
  });

  it.each([
    [{ state: 'refused' }, [BUSY, LIMITED]],
    [{ state: 'unknown' }, [BUSY, IN_DOUBT, BUSY]],
    [{ state: 'unknown', cut: true }, [IN_DOUBT, CUT, BUSY]],
  ])('is %j in the end of one that was never accepted', (ending, answers) => {
    expect(heard(...answers).ending).toEqual(ending);
  });
});
