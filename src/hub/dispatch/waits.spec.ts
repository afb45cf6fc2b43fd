import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { LoopOptions } from '../lifecycle/loop.js';
import { Waits } from './waits.js';

const TICK_MS = 250;
const SLOW_MS = 1_000;

/** Hints arrive all the time, so only what gets none has to be looked at often. */
describe('waits for the ends of dispatches', () => {
  let waits: Waits;
  let turn: () => Promise<void>;
  /** The ids whose rows were looked at, one list a statement. */
  let ends: (readonly string[])[];
  let words: (readonly string[])[];
  let ended: Set<string>;

  beforeEach(async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] });
    ends = [];
    words = [];
    ended = new Set();
    const repository = {
      ended: (ids: readonly string[]) => {
        ends.push(ids);
        return Promise.resolve(ids.filter((id) => ended.has(id)));
      },
    };
    const progress = {
      heardAt: (ids: readonly string[]) => {
        words.push(ids);
        return Promise.resolve([]);
      },
    };
    const loops = {
      make: (options: LoopOptions) => {
        turn = () => options.turn(new AbortController().signal);
        return { start: () => undefined, stop: () => Promise.resolve() };
      },
    };
    const fakes = [repository, progress, { rung: 'notify' }, {}, loops];
    waits = new Waits(...(fakes as unknown as ConstructorParameters<typeof Waits>));
    // What was looked at a moment ago is looked at again after a slow rest.
    const cancel = waits.watch('first', false).cancel;
    await turn();
    cancel();
    ends = [];
  });

  afterEach(async () => {
    await waits.stop();
    jest.useRealTimers();
  });

  const ticks = async (count: number) => {
    for (let tick = 0; tick < count; tick += 1) {
      jest.advanceTimersByTime(TICK_MS);
      await turn();
    }
  };
  const looksAt = (id: string) => ends.filter((ids) => ids.includes(id)).length;

  it('look often at what came in on another replica, and seldom at what came in here', async () => {
    waits.watch('own', false);
    waits.watch('foreign', true);

    await ticks(8);

    expect(looksAt('foreign')).toBe(8);
    expect(looksAt('own')).toBe((8 * TICK_MS) / SLOW_MS);
  });

  it('look at nothing often any more once the last that came in on another replica was given up', async () => {
    waits.watch('own', false);
    const [one, other] = [waits.watch('foreign', true), waits.watch('foreign', true)];
    one.cancel();
    await ticks(3);
    const before = looksAt('foreign');

    other.cancel();
    await ticks(9);

    expect(before).toBe(3);
    expect(looksAt('foreign')).toBe(3);
    expect(ends.length - before).toBe(3);
  });

  it('look at nothing often any more once the last that came in on another replica has ended', async () => {
    waits.watch('own', false);
    const watch = waits.watch('foreign', true);
    const isOver = watch.ended({ totalMs: 60_000, windowMs: 60_000 });
    await ticks(2);
    ended.add('foreign');

    await ticks(1);
    await isOver;
    await ticks(9);

    expect(looksAt('foreign')).toBe(3);
    expect(ends).toHaveLength(6);
  });

  it('go on looking often where another one waits for the same from here', async () => {
    const own = waits.watch('both', false);
    waits.watch('both', true);
    own.cancel();

    await ticks(3);

    expect(looksAt('both')).toBe(3);
  });

  it('look for what is heard as often as for the end', async () => {
    const patience = { totalMs: 60_000, windowMs: 30_000 };
    void waits.watch('own', false).ended(patience);
    void waits.watch('foreign', true).ended(patience);

    await ticks(8);

    expect(words.filter((ids) => ids.includes('foreign'))).toHaveLength(8);
    expect(words.filter((ids) => ids.includes('own'))).toHaveLength(2);
  });

  it('ask the database for nothing where nobody waits', async () => {
    waits.watch('foreign', true).cancel();

    await ticks(9);

    expect([ends, words]).toEqual([[], []]);
  });
});
