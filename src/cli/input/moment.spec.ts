import { describe, expect, it } from '@jest/globals';
import { comingMs, momentMs } from './moment.js';

describe('a moment', () => {
  it.each([
    ['2026-08-01T12:00:00Z', Date.UTC(2026, 7, 1, 12)],
    ['2026-08-01T12:00:00.250+02:00', Date.UTC(2026, 7, 1, 10, 0, 0, 250)],
    ['2026-08-01', Date.UTC(2026, 7, 1)],
  ])('is a time: %s', (text, ms) => {
    expect(momentMs(text)).toBe(ms);
  });

  it('is so long ago', () => {
    const before = Date.now() - 5_400_000;

    const ms = momentMs('1h30m');

    expect(ms).toBeGreaterThanOrEqual(before);
    expect(ms).toBeLessThanOrEqual(Date.now() - 5_400_000);
  });

  it.each(['', 'yesterday', '12:00', '2026-08-01T12:00:00', '2026-13-01', '1700000000', '5x'])(
    'is not %p',
    (text) => {
      expect(() => momentMs(text)).toThrow(/must be a (time|duration)/);
    },
  );
});

describe('a moment to come', () => {
  it('is a time as well', () => {
    expect(comingMs('2026-08-01T12:00:00Z')).toBe(Date.UTC(2026, 7, 1, 12));
  });

  it('is in so long', () => {
    const before = Date.now() + 600_000;

    const ms = comingMs('10m');

    expect(ms).toBeGreaterThanOrEqual(before);
    expect(ms).toBeLessThanOrEqual(Date.now() + 600_000);
  });

  it('is not just any word', () => {
    expect(() => comingMs('some day')).toThrow('or in how long such as 10m');
  });
});
