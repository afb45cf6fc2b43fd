import { describe, expect, it } from '@jest/globals';
import { ACTS } from '../../scripts/drill/acts.js';
import type { Stage } from '../../scripts/drill/drill.js';

/** A hub of which each act comes to what is told here. */
function staged({ sessions = 1, isBuried = true, rateBackMs = 0 as number | null }): Stage {
  const victim = { id: 'replica-1', program: { signal: () => undefined } };
  return {
    cluster: {
      replicas: [victim],
      balancer: { channelsEnded: 0 },
      crashDatabase: () => Promise.resolve(0),
    },
    evidence: {
      deafen: () => Promise.resolve(sessions),
      isGone: () => Promise.resolve(isBuried),
      ownedBy: () => Promise.resolve(['broker-1']),
    },
    load: { acceptedPerS: () => 60, isBackAt: () => Promise.resolve(rateBackMs) },
    pauseMs: 0,
    awayMs: 0,
    say: () => undefined,
  } as unknown as Stage;
}

describe('an act of a drill', () => {
  // Each rests for as long as a hub would need, so that all go on at a time.
  it.concurrent.each([
    ['listen', {}, { sessionsEnded: 3 }],
    ['pause', {}, { isBuried: true }],
    ['database', {}, { rateBackMs: 0 }],
  ])('%s tells what it came to', async (name, come, step) => {
    await expect(ACTS[name]?.run(staged(come))).resolves.toMatchObject([step]);
  });

  it.concurrent.each([
    ['listen', 'that found no session', { sessions: 0 }, 'no session that listens'],
    [
      'pause',
      'of a replica that nobody took for dead',
      { isBuried: false },
      'nobody took replica-1 for dead',
    ],
    ['database', 'after which the rate is never back', { rateBackMs: null }, 'the rate was not back'],
  ])('%s has shown nothing %s', async (name, _what, come, why) => {
    await expect(ACTS[name]?.run(staged(come))).rejects.toThrow(why);
  });
});
