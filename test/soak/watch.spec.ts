import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { SoakDatabase } from '../../scripts/soak/database.js';
import { Watch } from '../../scripts/soak/watch.js';
import { eventually } from '../support/eventually.js';

/** A database in whose words the replica listens again, and was noticed to be gone, at once. */
const DATABASE = {
  query: () => Promise.resolve([{ hearing: 1, goneAtMs: Date.now(), judges: 1 }]),
} as unknown as SoakDatabase;

describe('the watch over what is promised within a time', () => {
  let said: string[];
  let watch: Watch;

  beforeEach(() => {
    said = [];
    watch = new Watch(DATABASE, (line) => said.push(line));
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  const deafness = () => watch.deafness('replica-1', 'session-1', [4_711], () => false);

  it('times what is noticed and healed', async () => {
    deafness();
    watch.death('replica-2', 'id-2');
    await watch.settled();

    expect(watch.listens).toEqual([{ name: 'replica-1', ms: expect.any(Number) }]);
    expect(watch.deaths).toEqual([{ name: 'replica-2', ms: expect.any(Number) }]);
    expect(said).toHaveLength(2);
    expect(said.join()).not.toContain('not judged');
  });

  it('times how long both ends of a silent link take to let go of it, but of one that is cut meanwhile', async () => {
    const link = { nearPort: 40_001, isLeft: false, isTorn: false };
    const cut = { ...link, isTorn: true };
    watch.silence(link);
    watch.silence(cut);
    await eventually(() => watch.unjudgedSilences === 1);
    const before = watch.silences.length;
    link.isLeft = true;
    await watch.settled();

    expect(before).toBe(0);
    expect(watch.silences).toEqual([{ name: 'the link from 40001', ms: expect.any(Number) }]);
  });

  it('finds a silent link of which an end is never let go', async () => {
    jest.spyOn(performance, 'now').mockReturnValueOnce(0).mockReturnValue(100_000);

    watch.silence({ nearPort: 40_001, isLeft: false, isTorn: false });
    await watch.settled();

    expect(watch.silences).toEqual([{ name: 'the link from 40001', ms: null }]);
    expect(said).toEqual([expect.stringContaining('never found')]);
  });

  it.each([
    ['is let go of late', true],
    ['is never let go of', false],
  ])('does not judge a silent link that %s, where brokers slept meanwhile', async (_what, isLeft) => {
    jest
      .spyOn(performance, 'now')
      .mockReturnValueOnce(0)
      .mockReturnValue(isLeft ? 70_000 : 100_000);

    await watch.sleep(() => {
      watch.silence({ nearPort: 40_001, isLeft, isTorn: false });
      return watch.settled();
    });
    watch.silence({ nearPort: 40_002, isLeft: true, isTorn: false });
    await watch.settled();

    expect(watch.silences).toEqual([{ name: 'the link from 40002', ms: 0 }]);
    expect(watch.unjudgedSilences).toBe(1);
  });

  it('says of a LISTEN that it is not judged, where its replica stood still meanwhile', async () => {
    await watch.standStill('replica-1', async () => {
      deafness();
      await watch.settled();
    });

    expect(watch.listens).toEqual([]);
    expect(watch.unjudgedListens).toBe(1);
    expect(said).toEqual([
      expect.stringMatching(/^replica-1 listens again after \d+ ms, which is not judged$/),
    ]);
  });

  it('says of a LISTEN and of a death that they are not judged, where the database was away', async () => {
    await watch.trouble(async () => {
      deafness();
      watch.death('replica-2', 'id-2');
      await watch.settled();
    });

    expect([watch.unjudgedListens, watch.unjudgedDeaths]).toEqual([1, 1]);
    for (const line of said) expect(line).toMatch(/, which is not judged$/);
    expect(said).toHaveLength(2);
  });
});
