import { describe, expect, it } from '@jest/globals';
import { momentMs } from './moment.js';

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
