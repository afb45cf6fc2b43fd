import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LastGood } from './last-good.js';

describe('what last went well', () => {
  let last: LastGood;

  beforeEach(() => {
    jest.useFakeTimers();
    last = new LastGood();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('is known until it is too old, or is forgotten', async () => {
    expect(last.isWithin(1_000)).toBe(false);
    last.note(performance.now());
    expect(last.isWithin(1_000)).toBe(true);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(last.isWithin(1_000)).toBe(false);

    last.note(performance.now());
    last.forget();

    expect(last.isWithin(1_000)).toBe(false);
  });

  it('goes well again by what speaks for a moment after the question alone', async () => {
    const before = performance.now();
    await jest.advanceTimersByTimeAsync(10);
    last.note(performance.now() - 1);
    const told: unknown[] = [];
    const asking = [1_000, 2_000].map((withinMs) =>
      last.again(withinMs).then((is) => told.push([withinMs, is])),
    );

    last.note(before);
    await jest.advanceTimersByTimeAsync(1_500);
    last.note(performance.now());
    await Promise.all(asking);

    expect(told).toEqual([
      [1_000, false],
      [2_000, true],
    ]);
  });
});
