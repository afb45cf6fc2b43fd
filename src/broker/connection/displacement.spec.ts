import { describe, expect, it } from '@jest/globals';
import { CLOSE_CODES, DISPLACED_BY } from '../../protocol/close-code.js';
import { DisplacementJudge } from './displacement.js';

const displaced = (reason: string = DISPLACED_BY.itself, lastedMs = 1_000) => ({
  code: CLOSE_CODES.displaced,
  reason,
  lastedMs,
});

/** A link is dialled, welcomed and then displaced. */
function welcomedThenDisplaced(judge: DisplacementJudge, lastedMs?: number): boolean {
  judge.greeting();
  judge.welcomed();
  return judge.isByAnother(displaced(undefined, lastedMs));
}

describe('DisplacementJudge', () => {
  it('believes the hub that says it was another instance', () => {
    const judge = new DisplacementJudge(30_000);
    judge.greeting();
    judge.welcomed();

    expect(judge.isByAnother(displaced(DISPLACED_BY.another))).toBe(true);
  });

  it('believes no text that only sounds like it', () => {
    const judge = new DisplacementJudge(30_000);
    judge.greeting();
    judge.welcomed();

    expect(judge.isByAnother(displaced('another process restarted the hub'))).toBe(false);
  });

  it("does not take the broker's own next attempt for a copy", () => {
    const judge = new DisplacementJudge(30_000);
    judge.greeting();
    judge.welcomed();
    judge.greeting();

    expect(judge.isByAnother(displaced(DISPLACED_BY.another))).toBe(false);
  });

  it('does not stop a broker for one displacement, as by a replica that was paused', () => {
    expect(welcomedThenDisplaced(new DisplacementJudge(30_000))).toBe(false);
  });

  it('sees a copy in fresh links that are displaced again and again', () => {
    const judge = new DisplacementJudge(30_000);

    const verdicts = [1, 2, 3, 4, 5].map(() => welcomedThenDisplaced(judge));

    expect(verdicts).toEqual([false, false, false, false, true]);
  });

  it('forgets earlier displacements after a link that was good', () => {
    const judge = new DisplacementJudge(30_000);
    for (let link = 0; link < 4; link += 1) welcomedThenDisplaced(judge);

    expect(welcomedThenDisplaced(judge, 30_000)).toBe(false);
    expect(welcomedThenDisplaced(judge)).toBe(false);
  });
});
