import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';

const PRELOAD = pathToFileURL('dist/scripts/support/kept-memory.js').href;
const MIB = 1024 * 1024;
/** Keeps one of two that it makes, each time it is told to, and says so. */
const PROGRAM = `
  const kept = [];
  process.stdin.on('data', () => {
    for (let turn = 0; turn < 16; turn += 1) {
      kept.push(Buffer.alloc(${MIB}));
      Buffer.alloc(${MIB});
    }
    console.log('made');
  });
  console.log('told of ' + process.env.KEPT_MEMORY_FILE);
`;

describe('what a program keeps in memory', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-kept-'));
  const file = join(folder, 'kept');
  let program: ChildProcess;
  let said = '';

  beforeAll(() => {
    program = spawn(process.execPath, ['--import', PRELOAD, '-e', PROGRAM], {
      env: { KEPT_MEMORY_FILE: file },
    });
    program.stdout?.on('data', (text: Buffer) => (said += text.toString()));
  });

  afterAll(() => {
    program.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  const weigh = async (count: number): Promise<number> => {
    program.kill('SIGUSR2');
    const told = await eventually(() => {
      const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
      return lines.length === count && lines;
    });
    return Number(told.at(-1)) / MIB;
  };

  it('is told each time that it is asked for, without the garbage', async () => {
    await eventually(() => said.includes('told of undefined'));
    const before = await weigh(1);
    program.stdin?.write('go on\n');
    await eventually(() => said.includes('made'));

    const grown = (await weigh(2)) - before;
    expect(grown).toBeGreaterThan(15);
    expect(grown).toBeLessThan(24);
  });
});
