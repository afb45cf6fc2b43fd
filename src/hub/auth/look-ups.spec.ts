import { describe, expect, it, jest } from '@jest/globals';
import { LookUps, type Found } from './look-ups.js';
import { Remembered } from './remembered.js';

type Load = (key: string) => Promise<Found<string> | undefined>;

function makeLookUps(load: Load) {
  const clock = { nowMs: 0 };
  const spied = jest.fn(load);
  return { clock, load: spied, lookUps: new LookUps<string>(spied, () => clock.nowMs) };
}

const always: Load = (key) => Promise.resolve({ value: `value of ${key}`, forMs: Infinity });
const never: Load = () => Promise.resolve(undefined);

describe('what is remembered', () => {
  it('is bounded in number, the oldest going first', () => {
    const remembered = new Remembered<number>(3, () => 0);

    for (const key of ['a', 'b', 'c', 'a', 'd']) remembered.set(key, 1, 10);

    expect(remembered.size).toBe(3);
    expect(['a', 'b', 'c', 'd'].map((key) => remembered.get(key))).toEqual([1, undefined, 1, 1]);
  });

  it('is bounded in age', () => {
    const clock = { nowMs: 0 };
    const remembered = new Remembered<number>(3, () => clock.nowMs);
    remembered.set('a', 1, 10);

    clock.nowMs = 9;
    const before = remembered.get('a');
    clock.nowMs = 10;

    expect(before).toBe(1);
    expect(remembered.get('a')).toBeUndefined();
    expect(remembered.size).toBe(0);
  });

  it('is let go when others come, though nobody asks for it again', () => {
    const clock = { nowMs: 0 };
    const remembered = new Remembered<number>(3, () => clock.nowMs);
    remembered.set('a', 1, 10);
    remembered.set('b', 1, 11);

    clock.nowMs = 10;
    remembered.set('c', 1, 10);

    expect(remembered.size).toBe(2);
    expect(['a', 'b', 'c'].map((key) => remembered.get(key))).toEqual([undefined, 1, 1]);
  });
});

describe('look-ups', () => {
  it('ask once within 30 s, and again after', async () => {
    const { clock, load, lookUps } = makeLookUps(always);

    await lookUps.find('a');
    clock.nowMs = 29_999;
    expect(await lookUps.find('a')).toBe('value of a');
    expect(load).toHaveBeenCalledTimes(1);

    clock.nowMs = 30_000;
    await lookUps.find('a');
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('keep no answer past the end of what was found', async () => {
    const { clock, load, lookUps } = makeLookUps(() => Promise.resolve({ value: 'v', forMs: 100 }));

    await lookUps.find('a');
    clock.nowMs = 100;
    await lookUps.find('a');

    expect(load).toHaveBeenCalledTimes(2);
  });

  it('keep a miss for 5 s only', async () => {
    const { clock, load, lookUps } = makeLookUps(never);

    await lookUps.find('a');
    clock.nowMs = 4_999;
    expect(await lookUps.find('a')).toBeUndefined();
    expect(load).toHaveBeenCalledTimes(1);

    clock.nowMs = 5_000;
    await lookUps.find('a');
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('share one search among callers who ask for the same key at the same time', async () => {
    const { load, lookUps } = makeLookUps(always);

    await Promise.all(Array.from({ length: 100 }, () => lookUps.find('a')));

    expect(load).toHaveBeenCalledTimes(1);
  });

  it('do not push out what is known when flooded with unknown keys', async () => {
    const { load, lookUps } = makeLookUps((key) => (key === 'known' ? always(key) : never(key)));
    await lookUps.find('known');

    for (let count = 0; count < 20_000; count += 1) await lookUps.find(`unknown ${count}`);
    load.mockClear();
    await lookUps.find('known');

    expect(load).not.toHaveBeenCalled();
    const { found, missed, pending } = lookUps as unknown as Record<string, { size: number }>;
    expect([found?.size, missed?.size, pending?.size]).toEqual([1, 10_000, 0]);
  });

  it('take a failure for no answer: it is told to all who wait and then forgotten', async () => {
    const { load, lookUps } = makeLookUps(always);
    load.mockRejectedValueOnce(new Error('away'));

    const both = await Promise.allSettled([lookUps.find('a'), lookUps.find('a')]);

    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await lookUps.find('a')).toBe('value of a');
  });

  it('forget by what was found, and with it what was missed and what is under way', async () => {
    const { load, lookUps } = makeLookUps((key) => (key === 'none' ? never(key) : always(key)));
    const search = deferred<Found<string>>();
    await Promise.all(['a', 'b', 'none'].map((key) => lookUps.find(key)));
    load.mockReturnValueOnce(search.promise);
    const finding = lookUps.find('c');

    lookUps.forgetWhere((value) => value === 'value of a');
    search.resolve({ value: 'old', forMs: Infinity });
    await finding;
    load.mockClear();
    await Promise.all(['a', 'b', 'c', 'none'].map((key) => lookUps.find(key)));

    expect(load.mock.calls).toEqual([['a'], ['c'], ['none']]);
  });

  it('do not keep an answer that was under way when its key was forgotten', async () => {
    const { load, lookUps } = makeLookUps(always);
    const search = deferred<Found<string>>();
    load.mockReturnValueOnce(search.promise);

    const finding = lookUps.find('a');
    lookUps.forget('a');
    search.resolve({ value: 'revoked', forMs: Infinity });
    await finding;

    expect(await lookUps.find('a')).toBe('value of a');
  });
});

function deferred<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
