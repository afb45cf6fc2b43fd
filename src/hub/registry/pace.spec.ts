import { describe, expect, it } from '@jest/globals';
import { Pace } from './pace.js';

describe('the pace at which brokers are let in', () => {
  it('falls fast where there is no room, and not below a fifth', () => {
    const pace = new Pace(1_000);
    const falling = [true, true, true, true, true, true].map((isStrained) => {
      pace.adjust(isStrained);
      return Math.round(pace.perSecond);
    });

    expect(falling).toEqual([700, 490, 343, 240, 200, 200]);
  });

  it('comes back step by step, and not beyond the most', () => {
    const pace = new Pace(1_000);
    for (let look = 0; look < 10; look += 1) pace.adjust(true);
    expect(pace.isFull).toBe(false);
    pace.adjust(false);
    expect(pace.perSecond).toBe(300);
    for (let look = 0; look < 7; look += 1) pace.adjust(false);

    expect(pace.perSecond).toBe(1_000);
    expect(pace.isFull).toBe(true);
  });

  it.each([
    [2, 2],
    [100, 50],
  ])('of %i a second keeps at least %i', (most, least) => {
    const pace = new Pace(most);
    for (let look = 0; look < 10; look += 1) pace.adjust(true);

    expect(pace.perSecond).toBe(least);
  });
});
