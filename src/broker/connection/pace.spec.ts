import { beforeEach, describe, expect, it } from '@jest/globals';
import { AHEAD_BYTES, Pace } from './pace.js';

describe('the pace of a link', () => {
  let bytes: number;
  let end: () => void;
  let pace: Pace;

  beforeEach(() => {
    bytes = 0;
    pace = new Pace(() => bytes, new Promise<void>((resolve) => (end = resolve)));
  });

  /** Whether somebody who waits may go on by now. */
  const isReleased = (waiting: Promise<void>) =>
    Promise.race([
      waiting.then(() => true),
      new Promise<false>((resolve) => setImmediate(() => resolve(false))),
    ]);

  it('is behind where more waits than may, and no sooner', async () => {
    bytes = AHEAD_BYTES;
    expect(pace.isBehind).toBe(false);
    expect(await isReleased(pace.caughtUp())).toBe(true);

    bytes += 1;
    expect(pace.isBehind).toBe(true);
    expect(await isReleased(pace.caughtUp())).toBe(false);
  });

  it('lets all who wait go on once enough was taken', async () => {
    bytes = 3 * AHEAD_BYTES;
    const waiting = [pace.caughtUp(), pace.caughtUp()];

    bytes = 2 * AHEAD_BYTES;
    pace.taken();
    const afterSome = await Promise.all(waiting.map(isReleased));
    bytes = AHEAD_BYTES;
    pace.taken();

    expect(afterSome).toEqual([false, false]);
    expect(await Promise.all(waiting.map(isReleased))).toEqual([true, true]);
  });

  it('keeps nobody waiting whose link has ended, whatever was not taken', async () => {
    bytes = 3 * AHEAD_BYTES;
    const waiting = pace.caughtUp();

    end();

    expect(await isReleased(waiting)).toBe(true);
    expect(await isReleased(pace.caughtUp())).toBe(true);
    expect(pace.isBehind).toBe(false);
  });
});
