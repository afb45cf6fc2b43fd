import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { builtModule } from '../../test/broker/support/built.js';
import { eventually } from '../../test/support/eventually.js';
import { expectNoLeaks, takeStock, type Stock } from '../../test/support/leaks.js';
import { memoryFolder } from '../../test/support/memory-folder.js';
import { LogOutput } from './log-output.js';

/** More than any pipe holds. */
const FLOOD = 'x'.repeat(4 * 1024 * 1024);

/** A program of its own whose standard output is the log. */
const PROGRAM = `
  import { LogOutput } from ${JSON.stringify(builtModule('src/tracing/log-output.js'))};
  const output = new LogOutput(1, () => undefined);`;
const run = (script: string, stdout: 'pipe' | number) =>
  spawnSync(process.execPath, ['--input-type=module', '--eval', `${PROGRAM}${script}`], {
    encoding: 'utf8',
    stdio: ['ignore', stdout, 'pipe'],
    timeout: 60_000,
  });

describe('where the log is written to', () => {
  let folder: string;
  let before: Stock;
  let exitListeners: number;
  let open: Set<number>;

  beforeEach(() => {
    folder = memoryFolder('fairlead-log-');
    before = takeStock();
    exitListeners = process.listenerCount('exit');
    open = new Set();
  });

  afterEach(async () => {
    for (const fd of open) closeSync(fd);
    rmSync(folder, { recursive: true });
    expect(process.listenerCount('exit')).toBe(exitListeners);
    await expectNoLeaks(before);
  });

  /** A pipe whose reader comes and goes: without one nothing can be written to it. */
  const openPipe = (waitingMost?: number) => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const opened = (flags: number) => {
      const fd = openSync(path, flags | constants.O_NONBLOCK);
      open.add(fd);
      return fd;
    };
    let reader = opened(constants.O_RDONLY);
    const told: object[] = [];
    const tellLost = (lost: object) => {
      told.push(lost);
      output.write('told\n');
    };
    const output = new LogOutput(opened(constants.O_WRONLY), tellLost, waitingMost);
    let text = '';
    const read = () => {
      const chunk = Buffer.alloc(1024 * 1024);
      try {
        for (let bytes; (bytes = readSync(reader, chunk)) > 0;) text += chunk.toString('utf8', 0, bytes);
      } catch {
        // Nothing more is in it.
      }
      return text;
    };
    const leave = () => {
      open.delete(reader);
      closeSync(reader);
    };
    const comeBack = () => (reader = opened(constants.O_RDONLY));
    return { output, told, read, leave, comeBack };
  };
  /** Nothing is being written any more. */
  const rest = () => eventually(() => process.listenerCount('exit') === exitListeners);

  it('has all lines in their order, however slow their reader is', async () => {
    const { output, read } = openPipe();

    for (const line of ['first\n', `${FLOOD}\n`, 'second\n']) output.write(line);
    output.write('third\n');

    await eventually(() => read().endsWith('third\n'), { withinMs: 20_000 });
    expect(read() === `first\n${FLOOD}\nsecond\nthird\n`).toBe(true);
    await rest();
  });

  it('counts the lines that could not be written, and tells of them with the first one that can', async () => {
    const { output, told, read, leave, comeBack } = openPipe();
    leave();
    output.write('lost\n');
    output.write('lost as well\n');
    await rest();
    expect(told).toEqual([]);
    output.write('lost once more\n');
    await rest();

    comeBack();
    output.write('written\n');

    await eventually(() => read() === 'written\ntold\n');
    output.write('again\n');
    await eventually(() => read() === 'written\ntold\nagain\n');
    expect(told).toEqual([{ lines: 3, code: 'EPIPE' }]);
    await rest();
  });

  it('keeps so much for a reader that is too slow, and no more', async () => {
    const { output, told, read } = openPipe(256 * 1024);
    const line = `${'x'.repeat(100 * 1024)}\n`;

    for (let count = 0; count < 6; count += 1) output.write(line);

    // The first one is being written.
    await eventually(() => read().endsWith('told\n'));
    expect(read() === `${line.repeat(3)}told\n`).toBe(true);
    expect(told).toEqual([{ lines: 3, code: 'ENOBUFS' }]);
    await rest();
  });

  it('begins a line anew where the one before was written in half', async () => {
    const { output, told, read, leave, comeBack } = openPipe();
    output.write(`${FLOOD}\n`);
    await eventually(() => read().length > 0);
    leave();
    await rest();

    comeBack();
    output.write('whole\n');

    await eventually(() => read().endsWith('\nwhole\ntold\n'));
    expect(read().replaceAll('x', '')).toBe('\nwhole\ntold\n');
    expect(told).toEqual([{ lines: 1, code: 'EPIPE' }]);
    await rest();
  });

  it.each([
    ['at its end', ''],
    ['by process.exit()', 'process.exit();'],
  ])('has the last lines of a program that exits %s', (_how, exit) => {
    const { stdout } = run(
      `for (let line = 0; line < 1_000; line += 1) output.write(line + '\\n'); ${exit}`,
      'pipe',
    );

    // What the system had taken before the exit it may write after the rest.
    const written = stdout.split('\n').slice(0, -1).map(Number);
    expect(written.sort((one, other) => one - other)).toEqual(
      Array.from({ length: 1_000 }, (_, line) => line),
    );
  });

  it('holds up no exit of a program whose lines cannot be written', () => {
    const full = openSync('/dev/full', 'w');
    open.add(full);

    const { status, stderr } = run(
      `output.write('first\\n');
       setImmediate(() => {
         output.write('last\\n');
         output.write('the very last\\n');
         process.exit(7);
       });`,
      full,
    );

    expect({ status, stderr }).toEqual({ status: 7, stderr: '' });
  });
});
