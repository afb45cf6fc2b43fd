import { describe, expect, it } from '@jest/globals';
import type { Database } from './database.js';
import type { DatabaseServer } from './server.js';
import { ABOUT_STANDBY, STANDBYS, standbyOf, Standbys } from './standby.js';

describe('the synchronous standby', () => {
  it.each([
    ['none', { isAskedFor: false, isAwaited: true, isVisible: true, connected: 0 }],
    ['none', { isAskedFor: false, isAwaited: false, isVisible: false, connected: 0 }],
    ['present', { isAskedFor: true, isAwaited: true, isVisible: true, connected: 1 }],
    ['not_awaited', { isAskedFor: true, isAwaited: false, isVisible: true, connected: 1 }],
    ['away', { isAskedFor: true, isAwaited: true, isVisible: true, connected: 0 }],
    ['not_visible', { isAskedFor: true, isAwaited: true, isVisible: false, connected: 0 }],
  ])('is %s for %j', (standby, seen) => {
    expect(standbyOf(seen)).toBe(standby);
  });

  it('is not asked for of the embedded database, and not known of one that does not answer', async () => {
    const away = { run: () => Promise.reject(new Error('away')) } as unknown as Database;
    const see = (isEmbedded: boolean) => new Standbys(away, { isEmbedded } as DatabaseServer).see();

    expect([await see(true), await see(false)]).toEqual(['embedded', 'not_known']);
  });

  it('has a sentence for each case', () => {
    expect(Object.keys(ABOUT_STANDBY).sort()).toEqual([...STANDBYS].sort());
  });
});
