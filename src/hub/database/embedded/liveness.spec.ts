import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { fromPs, holderName, isHolderLive, processOf } from './liveness.js';

const onLinux = process.platform === 'linux' ? it : it.skip;

describe('liveness', () => {
  it('knows this process, and tells two of its names apart', async () => {
    const [one, other] = [await holderName(), await holderName()];

    expect(one).not.toBe(other);
    expect(await isHolderLive(one)).toBe(true);
    expect((await processOf(process.pid))?.program).toMatch(/node|MainThread/);
  });

  it('takes a process that ended for dead', async () => {
    const child = spawn('true');
    await once(child, 'exit');

    expect(await processOf(child.pid ?? 0)).toBeNull();
  });

  it('takes another process that got the pid for another', async () => {
    const name = await holderName();
    const [pid, birth, rest] = name.split('-');

    expect(await isHolderLive(`${pid}-${birth}1-${rest}`)).toBe(false);
    expect(await isHolderLive('not a name')).toBe(false);
  });

  onLinux('takes a zombie for dead, though a signal still reaches it', async () => {
    const { parent, zombie } = await zombieOf();
    try {
      expect(() => process.kill(zombie, 0)).not.toThrow();

      expect(await processOf(zombie)).toBeNull();
      expect(await fromPs(zombie)).toBeNull();
    } finally {
      parent.kill('SIGKILL');
      await once(parent, 'exit');
    }
  });

  it('sees the same through ps, where there is no /proc', async () => {
    const one = await fromPs(process.pid);

    expect(one?.birth).toMatch(/^\w{10,}$/);
    expect(await fromPs(process.pid)).toEqual(one);
    expect(await fromPs(2_147_483_647)).toBeNull();
  });
});

/** A parent that never reaps: it becomes `sleep` after it has made a child, and only then the child is killed. */
async function zombieOf(): Promise<{ parent: ChildProcess; zombie: number }> {
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const zombie = Number(line.toString().trim());
  await untilStat(parent.pid ?? 0, '(sleep) ');
  process.kill(zombie, 'SIGKILL');
  await untilStat(zombie, ') Z ');
  return { parent, zombie };
}

async function untilStat(pid: number, text: string): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!readFileSync(`/proc/${pid}/stat`, 'utf8').includes(text)) {
    if (performance.now() > deadline) throw new Error(`the process did not come to ${text}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
