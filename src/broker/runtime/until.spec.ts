import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { until } from './until.js';

const NEVER_MS = 3_600_000;

describe('until', () => {
  let folder: string;
  let looks: number;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-until-'));
    looks = 0;
  });

  afterEach(() => {
    jest.useRealTimers();
    rmSync(folder, { recursive: true });
  });

  const countTo = (enough: number) => () => {
    looks += 1;
    return Promise.resolve(looks >= enough ? looks : undefined);
  };

  it('looks at once, and not again before its time where nothing changes', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    const over = new AbortController();
    const waiting = until(folder, countTo(100), { everyMs: 5_000, signal: over.signal });

    await jest.advanceTimersByTimeAsync(4_999);
    expect(looks).toBe(1);
    await jest.advanceTimersByTimeAsync(1);
    expect(looks).toBe(2);

    over.abort();
    expect(await waiting).toBeUndefined();
  });

  it('looks as soon as something changes in the folder', async () => {
    const waiting = until(folder, countTo(2), { everyMs: NEVER_MS });

    writeFileSync(join(folder, 'exit.json'), '');

    expect(await waiting).toBe(2);
  });

  it('looks when it is woken', async () => {
    let wake = (): void => undefined;
    const waiting = until(folder, countTo(2), { everyMs: NEVER_MS, wakeable: (given) => (wake = given) });

    wake();

    expect(await waiting).toBe(2);
  });

  it('takes a look that throws for one that found nothing, as long as it has time', async () => {
    const throwing = (enough: number) => async () => {
      const found = await countTo(enough)();
      if (found === undefined) throw new Error(`look ${looks}`);
      return found;
    };

    expect(await until(folder, throwing(3), { everyMs: 1, withinMs: NEVER_MS })).toBe(3);

    await expect(until(folder, throwing(100), { withinMs: 0 })).rejects.toThrow('look 4');
    await expect(until(folder, throwing(100), {})).rejects.toThrow('look 5');
  });

  it('does without being told of changes, at most a second apart', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    const waiting = until(join(folder, 'missing'), countTo(3), { everyMs: NEVER_MS });

    await jest.advanceTimersByTimeAsync(2_000);

    expect(await waiting).toBe(3);
  });
});
