import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Replica } from '../cluster/replica.js';
import { Loops } from '../lifecycle/loops.js';
import type { Contracts } from './contracts.js';
import type { EndingRepository } from './ending.repository.js';
import { Endings } from './endings.js';
import type { History } from './history.js';
import { sweepOfAll, type InsertRepository, type KeySweep } from './insert.repository.js';
import { Sweeps } from './sweeps.js';

const DAY_S = 86_400;
const ALL_EVERY_MS = 300_000;

afterEach(() => void jest.restoreAllMocks());

describe('the sweep of deadlines', () => {
  let now: number;
  /** How far back each statement looked, in seconds. */
  let looked: number[];
  let fails: (withinS: number) => boolean;
  let turn: () => Promise<void>;

  beforeEach(() => {
    now = 0;
    looked = [];
    fails = () => false;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    const repository: Partial<EndingRepository> = {
      expireOverdue: (_replicaId, withinS) => {
        looked.push(withinS);
        return fails(withinS) ? Promise.reject(new Error('too slow')) : Promise.resolve([]);
      },
    };
    const loops = new Loops();
    const make = jest.spyOn(loops, 'make');
    new Sweeps(
      repository as EndingRepository,
      {} as InsertRepository,
      {} as History,
      { committed: () => undefined } as Partial<Endings> as Endings,
      {} as Contracts,
      { id: 'r', mayAct: true } as Replica,
      loops,
    );
    turn = () => make.mock.calls[0]![0].turn(new AbortController().signal);
  });

  const isOfAll = (withinS: number) => withinS > DAY_S;

  it('looks at those of late in every turn, and at all of them once in five minutes', async () => {
    for (now of [0, 1_000, ALL_EVERY_MS, ALL_EVERY_MS + 1_000]) await turn();

    expect(looked.map(isOfAll)).toEqual([false, true, false, false, true, false]);
    expect(looked.filter((withinS) => !isOfAll(withinS))).toEqual([5, 6, 304, 6]);
  });

  it('goes on with those of late where it cannot look at all of them, which is tried again at its time', async () => {
    fails = isOfAll;

    await expect(turn()).rejects.toThrow('too slow');
    for (now of [1_000, 2_000]) await turn();
    now = ALL_EVERY_MS;
    await expect(turn()).rejects.toThrow('too slow');

    expect(looked.map(isOfAll)).toEqual([false, true, false, false, false, true]);
  });

  it('looks back over all the time in which it could not look', async () => {
    await turn();
    fails = () => true;
    now = 1_000;
    await expect(turn()).rejects.toThrow('too slow');
    fails = () => false;
    now = 60_000;
    await turn();

    expect(looked.at(-1)).toBe(65);
  });
});

describe('the sweep of idempotency keys', () => {
  let now: number;
  /** How each statement began: at all keys, at those of late, or where the one before had ended. */
  let looked: string[];
  let left: number;
  let fails: (sweep: KeySweep) => boolean;
  let sweeps: Sweeps;

  beforeEach(() => {
    now = 0;
    looked = [];
    left = 0;
    fails = () => false;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    const repository: Partial<InsertRepository> = {
      sweepKeys: (most, sweep = sweepOfAll()) => {
        looked.push(sweep.from === null ? 'late' : isOfAll(sweep) ? 'all' : 'on');
        if (fails(sweep)) return Promise.reject(new Error('too slow'));
        sweep.from = new Date();
        const count = Math.min(most, left);
        left -= count;
        return Promise.resolve(count);
      },
    };
    const nobody = {} as never;
    sweeps = new Sweeps(nobody, repository as InsertRepository, nobody, nobody, nobody, nobody, new Loops());
  });

  const isOfAll = ({ from }: KeySweep) => from?.getTime() === 0;

  it('goes on from where it was in every turn, and looks at all of them once in five minutes', async () => {
    for (now of [0, 60_000, ALL_EVERY_MS, ALL_EVERY_MS + 60_000]) await sweeps.forgetKeys();

    expect(looked).toEqual(['late', 'all', 'on', 'on', 'all', 'on']);
  });

  it('begins each batch where the one before has ended', async () => {
    await sweeps.forgetKeys();
    looked = [];
    left = 2_500;
    now = ALL_EVERY_MS;
    await sweeps.forgetKeys();

    expect(looked).toEqual(['on', 'on', 'on', 'all']);
  });

  it('goes on with those of late where it cannot look at all of them, which is tried again at its time', async () => {
    fails = isOfAll;

    await expect(sweeps.forgetKeys()).rejects.toThrow('too slow');
    now = 60_000;
    await sweeps.forgetKeys();

    expect(looked).toEqual(['late', 'all', 'on']);
  });

  it('goes on where it was after a statement that failed', async () => {
    await sweeps.forgetKeys();
    fails = () => true;
    await expect(sweeps.forgetKeys()).rejects.toThrow('too slow');
    fails = () => false;
    await sweeps.forgetKeys();

    expect(looked).toEqual(['late', 'all', 'on', 'on']);
  });
});

describe('what looks for commands of projects that are not counted', () => {
  it('does so once in ten minutes, also where it fails', () => {
    const loops = new Loops();
    const make = jest.spyOn(loops, 'make');
    const signals: unknown[] = [];
    const repository = { lookBelow: (signal: unknown) => signals.push(signal) };
    const nobody = {} as never;
    new Sweeps(nobody, repository as unknown as InsertRepository, nobody, nobody, nobody, nobody, loops);
    const { signal } = new AbortController();

    const made = make.mock.calls.find(([{ name }]) => name === 'uncounted commands of projects')?.[0];
    void made?.turn(signal);

    expect(made).toMatchObject({ everyMs: 600_000, faultCapMs: 600_000 });
    expect(signals).toEqual([signal]);
  });
});
