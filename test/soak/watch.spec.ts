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

  describe('by a clock that each look moves on', () => {
    let nowMs: number;
    let stepMs: number;
    /** What the database says; undefined where it is away. */
    let row: () => object | undefined;

    beforeEach(() => {
      [nowMs, stepMs] = [0, 1_000];
      jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
      jest.spyOn(Date, 'now').mockImplementation(() => nowMs);
      const query = async () => {
        nowMs += stepMs;
        const found = row();
        await turnOver();
        if (found === undefined) throw new Error('the database is away');
        return [found];
      };
      watch = new Watch({ query } as unknown as SoakDatabase, (line) => said.push(line));
    });

    it.each([
      ['its replica stood still', 10_000, (until: Promise<void>) => watch.hinder('replica-1', () => until)],
      ['the database was away', 9_000, (until: Promise<void>) => watch.trouble(() => until)],
    ])('times a LISTEN from when nothing was in its way any more, where %s', async (_what, ms, hinder) => {
      let end = (): void => undefined;
      const hindered = hinder(new Promise((resolve) => (end = resolve)));
      row = () => {
        if (nowMs === 3_000) end();
        return { hearing: nowMs >= 12_000 ? 1 : 0 };
      };
      deafness();
      await Promise.all([hindered, watch.settled()]);

      expect(watch.listens).toEqual([{ name: 'replica-1', ms }]);
      expect(said).toEqual([`replica-1 listens again after ${ms} ms since nothing was in the way`]);
    });

    it('finds a LISTEN that never comes again, though the database was away at first', async () => {
      row = () => (nowMs <= 3_000 ? undefined : { hearing: 0 });
      deafness();
      await watch.settled();

      expect(watch.listens).toEqual([{ name: 'replica-1', ms: null }]);
      expect([watch.unjudgedListens, nowMs]).toEqual([0, 24_000]);
    });

    it('finds a death that is never noticed, though nobody could judge at first', async () => {
      row = () => ({ goneAtMs: null, judges: nowMs <= 3_000 ? 0 : 1 });
      watch.death('replica-2', 'id-2');
      await watch.settled();

      expect(watch.deaths).toEqual([{ name: 'replica-2', ms: null }]);
      expect([watch.unjudgedDeaths, nowMs]).toEqual([0, 24_000]);
    });

    it('times a death from when somebody could judge', async () => {
      row = () => ({ goneAtMs: nowMs >= 8_000 ? 7_500 : null, judges: nowMs <= 3_000 ? 0 : 1 });
      watch.death('replica-2', 'id-2');
      await watch.settled();

      expect(watch.deaths).toEqual([{ name: 'replica-2', ms: 4_500 }]);
    });

    it('judges nothing of a replica that died meanwhile, nor of what the database was away for to the end', async () => {
      stepMs = 60_000;
      row = () => undefined;
      watch.deafness('replica-1', 'session-1', [], () => nowMs > 60_000);
      watch.death('replica-2', 'id-2');
      await watch.settled();

      expect([watch.listens, watch.deaths]).toEqual([[], []]);
      expect([watch.unjudgedListens, watch.unjudgedDeaths]).toEqual([1, 1]);
    });
  });
});

const turnOver = () => new Promise((resolve) => void setImmediate(resolve));
