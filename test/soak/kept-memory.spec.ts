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
  const compile = () => {
    for (let each = 0; each < 500; each += 1) {
      // Much code of little text, which is kept beside it.
      const made = new Function('a', 'for (let b of a);'.repeat(100) + each);
      made([]);
      kept.push(made);
    }
    console.log('compiled');
  };
  process.stdin.on('data', (text) => {
    if (text.toString().startsWith('compile')) return compile();
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

  const weigh = async (count: number) => {
    program.kill('SIGUSR2');
    const told = await eventually(() => {
      const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
      return lines.length === count && lines;
    });
    const [kept = NaN, compiled = NaN] = (told.at(-1) ?? '').split(' ').map((bytes) => Number(bytes) / MIB);
    return { kept, compiled };
  };

  it('is told each time that it is asked for, without the garbage', async () => {
    await eventually(() => said.includes('told of undefined'));
    const before = await weigh(1);
    program.stdin?.write('go on\n');
    await eventually(() => said.includes('made'));

    const grown = (await weigh(2)).kept - before.kept;
    expect(grown).toBeGreaterThan(15);
    expect(grown).toBeLessThan(24);
  });

  it('is told apart from the code that is made of the program', async () => {
    const before = await weigh(3);
    program.stdin?.write('compile\n');
    await eventually(() => said.includes('compiled'));

    const after = await weigh(4);
    expect(after.compiled - before.compiled).toBeGreaterThan(4);
    expect(Math.abs(after.kept - before.kept)).toBeLessThan((after.compiled - before.compiled) / 4);
  });
});
