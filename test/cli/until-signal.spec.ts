import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, expect, it } from '@jest/globals';
import { builtModule } from '../broker/support/built.js';

/** Ends once its input does, a while after the work that a signal ended. */
const PROGRAM = `
  const { untilSignal } = await import(${JSON.stringify(builtModule('src/cli/until-signal.js'))});
  // The echo comes at once, however slow the machine is: the clock stands still.
  performance.now = () => 0;
  globalThis.setTimeout = () => ({ unref() {} });
  process.stdin.resume();
  await untilSignal(['SIGTERM', 'SIGINT'], (signal) => new Promise((resolve) => {
    signal.addEventListener('abort', resolve);
    console.log('at work');
  }));
  console.log('done');
`;

describe('work that a signal ends', () => {
  /** A program whose work is done. */
  const done = async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const exit = once(child, 'exit');
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('at work');
    child.kill('SIGINT');
    expect((await lines.next()).value).toBe('done');
    return { child, exit };
  };

  it('ends well, also where the echo of its signal comes after it', async () => {
    const { child, exit } = await done();

    child.kill('SIGINT');
    child.stdin.end();

    expect(await exit).toEqual([0, null]);
  });

  it('is over at once by another signal, also after it', async () => {
    const { child, exit } = await done();

    child.kill('SIGTERM');

    expect(await exit).toEqual([1, null]);
  });
});
