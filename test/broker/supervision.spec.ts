import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { NO_RESTART } from '../../src/protocol/op.js';
import { RunFolder } from '../../src/broker/runtime/run-folder.js';
import { superviseRun } from '../../src/broker/runtime/supervision.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { memoryFolder } from '../support/memory-folder.js';
import { NO_LIMITS } from './support/agents.js';

describe('the supervision of a run', () => {
  let path: string;
  let before: Stock;

  beforeEach(() => {
    path = memoryFolder('fairlead-supervision-');
    before = takeStock();
  });

  afterEach(async () => {
    rmSync(path, { recursive: true, force: true });
    await expectNoLeaks(before, { withinMs: 500 });
  });

  const runOf = async (script: string): Promise<RunFolder> => {
    const run = new RunFolder(join(path, 'run'));
    const shell = { command: '/bin/sh', args: ['-c', script], directory: null, environment: {} };
    const spec = { ...shell, limits: NO_LIMITS, restart: NO_RESTART, stdin: 'closed' as const };
    const workFolder = join(path, 'work');
    await run.make({ agentId: uuidv7(), name: 'web', runId: uuidv7(), spec, workFolder });
    return run;
  };

  it('writes down how it ended once the disk takes it, and until then it goes on', async () => {
    const run = await runOf('exit 4');
    const refused: string[] = [];
    const write = run.ended.bind(run);
    jest.spyOn(run, 'ended').mockImplementation(async (exit) => {
      if (refused.length === 2) return write(exit);
      refused.push((await run.state()).kind);
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    });

    await superviseRun(run);

    expect(refused).toEqual(['running', 'running']);
    expect(await run.state()).toMatchObject({ kind: 'ended', exit: { reason: 'exited', exitCode: 4 } });
  });

  it('is over where its folder was removed: nobody asks how it ended', async () => {
    const folder = join(path, 'run');
    // Nothing is made in there any more once its start is written down.
    const run = await runOf(`until test -e '${folder}/pid.json'; do sleep 0.01; done; rm -rf '${folder}'`);

    await expect(superviseRun(run)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
