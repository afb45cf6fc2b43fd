import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Replica } from '../cluster/replica.js';
import type { HubConfig } from '../config/hub-config.js';
import type { DispatchLife } from '../dispatch/life.js';
import type { Admission } from '../registry/admission.js';
import type { Ownership } from '../registry/ownership.js';
import { Draining } from './draining.js';
import type { Handover } from './handover.js';
import type { RolloutLog } from './rollout-log.js';

const never = () => new Promise<never>(() => undefined);

describe('a drain that begins while the database hangs', () => {
  let isClosed: boolean;
  let steps: [step: string, atMs: number][];
  let draining: Draining;

  beforeEach(() => {
    jest.useFakeTimers();
    jest.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);
    isClosed = false;
    steps = [];
    const beganAt = performance.now();
    const reached = (step: string) => steps.push([step, Math.round(performance.now() - beganAt)]);
    const close = () => {
      isClosed = true;
      return Promise.resolve();
    };
    const asked = { askAll: () => Promise.resolve(), moved: () => Promise.resolve('brokers_moved') };
    draining = new Draining(
      { drain: { lingerMs: 0, deadlineMs: 60_000 } } as HubConfig,
      { beginDrain: never, hasPeers: never } as Partial<Replica> as Replica,
      { close } as Admission,
      { releaseAll: () => Promise.resolve() } as Partial<Ownership> as Ownership,
      { releaseWaits: () => undefined } as DispatchLife,
      asked as unknown as Handover,
      { reached, end: () => Promise.resolve() } as unknown as RolloutLog,
    );
  });

  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  it('has shut the door before it asks for anything', () => {
    void draining.drain();

    expect(isClosed).toBe(true);
  });

  it('leaves the brokers the time of the deadline, and hands them over', async () => {
    const drained = draining.drain();
    await jest.advanceTimersByTimeAsync(10_000);
    await drained;

    expect(steps.map(([step]) => step)).toEqual([
      'announced',
      'lingered',
      'asked_brokers',
      'brokers_moved',
      'released',
    ]);
    expect(steps.at(0)?.[1]).toBe(2_000);
    expect(steps.at(-1)?.[1]).toBeLessThan(5_000);
  });
});
