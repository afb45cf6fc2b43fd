import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { NO_RESTART } from '../../protocol/op.js';
import { NO_LIMITS } from '../../../test/broker/support/agents.js';
import { memoryFolder } from '../../../test/support/memory-folder.js';
import { identify } from '../process-identity.js';
import { RunFolder } from './run-folder.js';

describe('a run that is called off', () => {
  let path: string;
  let run: RunFolder;

  beforeEach(async () => {
    path = memoryFolder('fairlead-run-');
    run = new RunFolder(join(path, 'run'));
    const command = { command: 'true', args: [], directory: null, environment: {} };
    const spec = { ...command, limits: NO_LIMITS, restart: NO_RESTART };
    await run.make({ agentId: uuidv7(), name: 'web', runId: uuidv7(), spec, workFolder: path });
  });

  afterEach(() => rmSync(path, { recursive: true }));

  const self = () => {
    const identity = identify(process.pid);
    if (identity === undefined) throw new Error('this process is not there');
    return identity;
  };

  it('is over once that is on disk, and needs nothing more to be written', async () => {
    await run.callOff({ reason: 'start_failed', detail: 'It did not start.' });
    // As where the disk took the claim, and nothing after it.
    rmSync(join(run.path, 'exit.json'), { force: true });

    expect(await run.state()).toMatchObject({
      kind: 'ended',
      exit: { reason: 'start_failed', detail: 'It did not start.', exitCode: null },
    });
    expect(await run.claim(self())).toBe(false);
  });

  it('is left to a shim that has taken it, and asked to stop', async () => {
    await run.claim(self());

    await run.callOff({ reason: 'stopped', detail: null });

    expect(await run.state()).toEqual({ kind: 'starting' });
    expect(await run.stopOrder()).toEqual({ graceMs: 0 });
  });
});
