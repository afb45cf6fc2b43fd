import { describe, expect, it } from '@jest/globals';
import { presenceAfter } from './presence.js';

describe('presence after a silence', () => {
  it.each([
    [0, 'online'],
    [29_999, 'online'],
    [30_000, 'degraded'],
    [59_999, 'degraded'],
    [60_000, 'unreachable'],
  ] as const)('of %i ms is %s', (silenceMs, state) => {
    expect(presenceAfter(silenceMs, 'online')).toBe(state);
  });

  it('is what the broker says of itself while it is heard', () => {
    expect(presenceAfter(0, 'degraded')).toBe('degraded');
  });
});
