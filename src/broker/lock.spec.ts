import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { HomeInUse } from './broker.errors.js';
import { acquireLock } from './lock.js';

describe('the lock of a home', () => {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'fairlead-lock-'));
  });

  afterEach(() => rmSync(home, { recursive: true }));

  it('keeps others out until it is released', async () => {
    const lock = await acquireLock(home);
    await expect(acquireLock(home)).rejects.toThrow(HomeInUse);

    await lock.release();

    await (await acquireLock(home)).release();
  });

  it.each([
    ['that is dead', { pid: 2 ** 22 + 1, startTime: 'long ago' }],
    ['whose number another process has now', { pid: process.pid, startTime: 'long ago' }],
  ])('left by a process %s goes to exactly one of many', async (_who, holder) => {
    await mkdir(join(home, 'lock'));
    writeFileSync(join(home, 'lock', '7'), JSON.stringify({ holder }));

    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => acquireLock(home)));

    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(HomeInUse);
    }
  });

  it('does not grow with use', async () => {
    for (let turn = 0; turn < 10; turn += 1) await (await acquireLock(home)).release();

    expect(readdirSync(join(home, 'lock'))).toHaveLength(1);
  });
});
