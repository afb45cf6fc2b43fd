import { existsSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Child } from '../../src/conformance/of-broker/child.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';

const FAREWELL_MS = 300;
/** Says which process it is, and takes its time to end. */
const BROKER = `'${process.execPath}' -e "process.on('SIGTERM', () => setTimeout(process.exit, ${FAREWELL_MS}));
  setInterval(() => undefined, 1000); console.log('I am ' + process.pid)"`;

/** Whether there is such a process; one that has ended, and that nobody has collected, is none. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const path = `/proc/${pid}/stat`;
  return !(existsSync(path) && /^\d+ \(.*\) Z/.test(readFileSync(path, 'utf8')));
}

describe('the broker that is tried, as a command of the shell', () => {
  let child: Child;

  afterEach(async () => {
    await child.end('SIGKILL');
    await expectNoLeaks();
  });

  const started = async (command: string) => {
    let said = '';
    child = new Child(command, process.env, (text) => (said += text));
    child.start();
    return eventually(() => Number(/I am (\d+)/.exec(said)?.[1] ?? 0) || undefined);
  };

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'ends by %s where its shell has ended before it',
    async (signal) => {
      const pid = await started(`${BROKER} &`);

      await child.end(signal);

      expect(isAlive(pid)).toBe(false);
    },
  );

  it('is waited for where the signal ends its shell before it', async () => {
    const pid = await started(`${BROKER}; true`);

    await child.end('SIGTERM');

    expect(isAlive(pid)).toBe(false);
  });

  it('is one of two where another is started, and ends alone', async () => {
    const pid = await started(`${BROKER} & wait`);

    await child.startAnother()();

    expect(isAlive(pid)).toBe(true);
  });
});
