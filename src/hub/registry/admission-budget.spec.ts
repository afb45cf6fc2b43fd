import { describe, expect, it } from '@jest/globals';
import { AdmissionBudget } from './admission-budget.js';

describe('the budget of admissions', () => {
  const make = (perSecond: number, random = () => 0) => {
    let nowMs = 0;
    const budget = new AdmissionBudget(
      { perSecond, usual: perSecond, asked: () => undefined },
      () => nowMs,
      random,
    );
    const takeMany = (count: number) => Array.from({ length: count }, () => budget.take());
    return { takeMany, pass: (ms: number) => (nowMs += ms) };
  };

  it('lets in as many at once as within a second, and not one more', () => {
    const { takeMany } = make(3);

    expect(takeMany(4)).toEqual([undefined, undefined, undefined, 1]);
  });

  it('is filled as time passes, and never beyond a second', () => {
    const { takeMany, pass } = make(2);
    takeMany(2);
    pass(500);
    expect(takeMany(2)).toEqual([undefined, 1]);
    pass(3_600_000);

    expect(takeMany(3)).toEqual([undefined, undefined, 1]);
  });

  it('gives each that it turns away a turn behind the others', () => {
    const { takeMany } = make(2);
    takeMany(2);

    expect(takeMany(6)).toEqual([1, 1, 2, 2, 3, 3]);
  });

  it('spreads turns by chance, and tells none that is too early', () => {
    const draws = [0, 0.9, 0, 0.9];
    const { takeMany } = make(2, () => draws.shift() ?? 0);
    takeMany(2);

    expect(takeMany(4)).toEqual([1, 2, 2, 3]);
  });

  it('is true to its word: who comes at its turn is let in', () => {
    const { takeMany, pass } = make(10);
    takeMany(10);
    const turns = takeMany(95).map((turn) => turn ?? 0);

    for (let second = 1; second <= 10; second += 1) {
      pass(1_000);
      const due = turns.filter((turn) => turn === second).length;
      expect(takeMany(due)).toEqual(Array.from({ length: due }, () => undefined));
    }
  });

  it('forgets turns that nobody came for', () => {
    const { takeMany, pass } = make(10);
    takeMany(110);
    pass(20_000);

    expect(takeMany(11).at(-1)).toBe(1);
  });

  it('promises no turn farther ahead than a minute, however many ask', () => {
    const { takeMany } = make(1);

    expect(Math.max(...takeMany(1_000).map((turn) => turn ?? 0))).toBe(60);
  });
});
