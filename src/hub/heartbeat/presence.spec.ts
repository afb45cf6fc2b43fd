import { describe, expect, it } from '@jest/globals';
import { presenceOf, type Watched } from './presence.js';

const WATCHED: Watched = { silenceMs: 0, watchedMs: Infinity, health: 'online', written: 'online' };

describe('presence after a silence', () => {
  it.each([
    [0, 'online'],
    [29_999, 'online'],
    [30_000, 'degraded'],
    [59_999, 'degraded'],
    [60_000, 'unreachable'],
  ] as const)('of %i ms is %s', (silenceMs, state) => {
    expect(presenceOf({ ...WATCHED, silenceMs })).toBe(state);
  });

  it.each(['online', 'degraded'] as const)('is what the broker says while it is heard: %s', (health) => {
    expect(presenceOf({ ...WATCHED, health, written: undefined })).toBe(health);
  });

  it.each(['degraded', 'unreachable'] as const)('is lifted from %s by a sign of life alone', (written) => {
    expect(presenceOf({ ...WATCHED, written, silenceMs: 30_000 })).toBe(written);
    expect(presenceOf({ ...WATCHED, written, silenceMs: 100 })).toBe('online');
  });

  it.each([
    [0, 'online', 'online'],
    [29_999, 'online', 'online'],
    [30_000, 'online', 'degraded'],
    [60_000, 'online', 'unreachable'],
    [0, 'unreachable', 'unreachable'],
    [0, 'degraded', 'degraded'],
  ] as const)('of minutes that the replica watched %i ms of takes %s to %s', (watchedMs, written, state) => {
    expect(presenceOf({ ...WATCHED, silenceMs: 300_000, watchedMs, written })).toBe(state);
  });
});
