import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as soon } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { processOf } from './liveness.js';
import { withLock } from './lock.js';

describe('the lock of a data directory', () => {
  let directory: string;

  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), 'fairlead-lock-')), 'lock');
    mkdirSync(directory);
  });

  afterEach(() => rmSync(join(directory, '..'), { recursive: true, force: true }));

  it('lets one in at a time, and everyone in the end', async () => {
    let inside = 0;
    let most = 0;
    let entered = 0;
    const visit = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      entered++;
      for (let turn = 0; turn < 3; turn++) await soon();
      inside--;
    };

    await Promise.all(Array.from({ length: 20 }, () => withLock(directory, { withinMs: 60_000 }, visit)));

    expect({ most, entered }).toEqual({ most: 1, entered: 20 });
    expect(readdirSync(directory)).toEqual([]);
  }, 90_000);

  it.each([
    ['holding', '1\n'],
    ['choosing', ''],
  ])('is not held up by a process that was killed while %s', async (_state, content) => {
    const holder = spawn('sleep', ['60']);
    await once(holder, 'spawn');
    const birth = (await processOf(holder.pid ?? 0))?.birth;
    writeFileSync(join(directory, `${holder.pid}-${birth}-00000000`), content);

    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await withLock(directory, { withinMs: 1_000 }, async () => Promise.resolve());

    expect(readdirSync(directory)).toEqual([]);
  });

  it.each([
    ['holding', '1\n'],
    ['choosing', ''],
  ])(
    'waits for a living process that is %s, and names it when the wait is too long',
    async (_state, content) => {
      const birth = (await processOf(process.pid))?.birth;
      writeFileSync(join(directory, `${process.pid}-${birth}-00000000`), content);

      const refused = withLock(directory, { withinMs: 60 }, async () => Promise.resolve());

      await expect(refused).rejects.toMatchObject({
        code: 'lock_held',
        message: expect.stringContaining(`process ${process.pid} `),
      });
      expect(readdirSync(directory)).toHaveLength(1);
    },
  );

  it('is free again after a critical part that failed', async () => {
    const failing = withLock(directory, { withinMs: 1_000 }, () => Promise.reject(new Error('planned')));
    await expect(failing).rejects.toThrow('planned');

    await expect(withLock(directory, { withinMs: 100 }, () => Promise.resolve('in'))).resolves.toBe('in');
  });
});
