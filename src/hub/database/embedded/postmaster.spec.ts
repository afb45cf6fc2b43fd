import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { disown, postmasterOf } from './postmaster.js';

const onLinux = process.platform === 'linux' ? it : it.skip;

describe("the server's lock file", () => {
  let data: string;

  beforeEach(() => {
    data = join(mkdtempSync(join(tmpdir(), 'fairlead-postmaster-')), 'data');
    mkdirSync(data);
  });

  afterEach(() => rmSync(join(data, '..'), { recursive: true, force: true }));

  const write = (pid: number): void =>
    writeFileSync(
      join(data, 'postmaster.pid'),
      `${pid}\n${data}\n1763690000\n5433\n\n127.0.0.1\n  1 2\nready\n`,
    );

  it('is of no server where there is none, or one that ended', async () => {
    expect(await postmasterOf(data)).toBeNull();
    const ended = spawn('true');
    await once(ended, 'exit');

    write(ended.pid ?? 0);

    expect(await postmasterOf(data)).toBeNull();
  });

  it('is of no server where the pid is by now another program, even one at work in the directory', async () => {
    const stranger = spawn('sleep', ['60'], { cwd: data });
    await once(stranger, 'spawn');
    write(stranger.pid ?? 0);

    const seen = await postmasterOf(data);

    stranger.kill('SIGKILL');
    await once(stranger, 'exit');
    expect(seen).toBeNull();
  });

  onLinux('is of no server of ours where the pid is by now the server of another directory', async () => {
    const program = join(data, '..', 'postgres');
    copyFileSync('/bin/sleep', program);
    const ours = spawn(program, ['60'], { cwd: data });
    const theirs = spawn(program, ['60'], { cwd: '/' });
    await Promise.all([once(ours, 'spawn'), once(theirs, 'spawn')]);
    try {
      write(theirs.pid ?? 0);
      expect(await postmasterOf(data)).toBeNull();

      write(ours.pid ?? 0);
      expect(await postmasterOf(data)).toEqual({ pid: ours.pid, port: 5433 });
    } finally {
      for (const child of [ours, theirs]) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
  });

  it('names nobody once disowned, and keeps what shows the shared memory of the dead', async () => {
    write(process.pid);

    await disown(data);

    const [pid, ...rest] = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
    expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH');
    expect(rest).toEqual([data, '1763690000', '5433', '', '127.0.0.1', '  1 2', 'ready', '']);
  });
});
