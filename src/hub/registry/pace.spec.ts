import { describe, expect, it } from '@jest/globals';
import { Pace } from './pace.js';

describe('the pace at which brokers are let in', () => {
  it('begins at what a small hub can keep, and rises to the most while more is asked for', () => {
    const pace = new Pace(1_000);
    const rising = Array.from({ length: 15 }, () => {
      pace.asked();
      pace.adjust(false);
      return Math.round(pace.perSecond);
    });

    expect(new Pace(1_000).perSecond).toBe(300);
    expect(rising.slice(0, 3)).toEqual([350, 400, 450]);
    expect(rising.at(-1)).toBe(1_000);
  });

  it('comes back step by step to what it was at first', () => {
    const pace = new Pace(1_000);
    for (let look = 0; look < 10; look += 1) pace.adjust(true);
    const rising = Array.from({ length: 6 }, () => {
      pace.adjust(false);
      return Math.round(pace.perSecond);
    });

    expect(rising).toEqual([150, 200, 250, 300, 300, 300]);
  });

  it('is what it was at first where nothing more is asked for', () => {
    const pace = new Pace(1_000);
    pace.asked();
    pace.adjust(false);
    pace.adjust(false);

    expect(pace.perSecond).toBe(300);
  });

  it('neither rises nor has given way where nothing has happened yet', () => {
    const pace = new Pace(1_000);

    expect(pace.adjust(false)).toBe(false);
    expect(pace.perSecond).toBe(300);
  });

  it('goes down step by step as well', () => {
    const pace = new Pace(1_000);
    for (let look = 0; look < 2; look += 1) {
      pace.asked();
      pace.adjust(false);
    }

    pace.adjust(false);

    expect(pace.perSecond).toBe(350);
  });

  it('falls fast where there is no room, whatever is asked for, and not below a tenth', () => {
    const pace = new Pace(1_000);
    const falling = Array.from({ length: 5 }, () => {
      pace.asked();
      pace.adjust(true);
      return Math.round(pace.perSecond);
    });

    expect(falling).toEqual([210, 147, 103, 100, 100]);
  });

  it('is usually what it was for seconds, and not for a moment', () => {
    const pace = new Pace(1_000);
    for (let look = 0; look < 4; look += 1) pace.adjust(true);
    const afterASecond = pace.usual;
    for (let look = 0; look < 80; look += 1) pace.adjust(true);

    expect(afterASecond).toBeGreaterThan(260);
    expect(Math.round(pace.usual)).toBe(103);
  });

  it('tells when it begins to give way', () => {
    const pace = new Pace(1_000);

    const begins = [true, true, false, true].map((isStrained) => pace.adjust(isStrained));

    expect(begins).toEqual([true, false, false, false]);
  });

  it.each([
    [2, 2],
    [100, 50],
  ])('of at most %i a second keeps at least %i', (most, least) => {
    const pace = new Pace(most);
    for (let look = 0; look < 10; look += 1) pace.adjust(true);

    expect(pace.perSecond).toBe(least);
  });
});
