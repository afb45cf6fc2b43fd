import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ProcessLimits } from '../../src/protocol/op.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { isProcess, NO_LIMITS } from './support/agents.js';
import { Runs } from './support/runs.js';

/** More than any machine has. */
const TOO_MUCH = 4_000_000_000;

describe('the limits of a run', () => {
  let before: Stock;
  let runs: Runs;

  beforeEach(() => {
    before = takeStock();
    runs = new Runs();
  });

  afterEach(async () => {
    await runs.close();
    await expectNoLeaks(before);
  });

  const under = (limits: Partial<ProcessLimits>) => ({ limits: { ...NO_LIMITS, ...limits } });

  it.each<[string, Partial<ProcessLimits>, string]>([
    ['processor time of the command', { cpuSeconds: 1 }, 'exec sh -c "while :; do :; done"'],
    ['processor time of what it starts', { cpuSeconds: 1 }, 'sh -c "while :; do :; done"; exit'],
    ['processes', { processes: 5 }, 'for n in 1 2 3 4 5 6; do sleep 600 & done; wait'],
    [
      'memory of all its processes',
      { residentMb: 64 },
      `node -e 'globalThis.kept = Buffer.alloc(150e6, 1); setInterval(() => 0, 1e6)'`,
    ],
    ['output', { outputMb: 1 }, 'yes'],
    ['time', { wallSeconds: 1 }, 'exec sleep 600'],
  ])(
    'end what exceeds its %s, and the report names the limit',
    async (_what, limits, script) => {
      const web = runs.order(script, under(limits));
      const [name] = Object.keys(limits);

      const pid = await runs.start(web);

      await runs.reported(web.runId, { phase: 'failed', detail: expect.stringContaining(name ?? '-') });
      await eventually(() => !isProcess(pid));
      expect(runs.read<{ reason: string }>(web, 'exit.json').reason).toBe('limit_exceeded');
    },
    30_000,
  );

  it.each<[string, Partial<ProcessLimits>, string, RegExp]>([
    ['memory', { memoryMb: 100 }, `head -c 300000000 /dev/zero | tail -c 299999999 | wc -c`, /memory|alloc/i],
    [
      'open files',
      { openFiles: 64 },
      `node -e 'for (let n = 0; n < 100; n += 1) require("fs").openSync("/dev/null")'`,
      /EMFILE/,
    ],
  ])('let the kernel refuse more than each process may have: %s', async (_what, limits, script, refusal) => {
    const web = runs.order(script, under(limits));

    await runs.start(web);
    await runs.ended(web);

    expect((await runs.output(web.agentId)).join()).toMatch(refusal);
  });

  it('leave alone what keeps within them', async () => {
    const all = {
      ...{ memoryMb: 4_096, residentMb: 512, processes: 5, openFiles: 64 },
      ...{ cpuSeconds: 10, wallSeconds: 60, outputMb: 1 },
    };
    const web = runs.order('sleep 2.5 & wait; echo done', under(all));

    await runs.start(web);

    await runs.reported(web.runId, { phase: 'stopped', exitCode: 0 });
    expect(await runs.output(web.agentId)).toEqual(['done']);
  });

  it.each<keyof ProcessLimits>(['openFiles', 'cpuSeconds', 'memoryMb'])(
    'that cannot be set fail the start, and nothing has run: %s',
    async (name) => {
      const value = name === 'openFiles' ? TOO_MUCH : 1e30;
      const web = runs.order('echo it runs', under({ memoryMb: 4_096, [name]: value }));

      await expect(runs.start(web)).rejects.toMatchObject({
        code: 'limit_refused',
        message: `The limit ${name}=${value} could not be set on this machine.`,
      });

      await runs.reported(web.runId, { phase: 'failed', detail: expect.stringContaining(name) });
      expect(await runs.output(web.agentId)).toEqual([]);
      expect(await runs.runtime.countRunning()).toBe(0);
    },
  );

  it('end a command for a restart where its policy says so', async () => {
    runs.waitBeforeRestarts(0);
    const restart = { policy: 'on-failure' as const, maxRestarts: 1 };
    const web = runs.order('while :; do :; done', { ...under({ cpuSeconds: 1 }), restart });

    await runs.start(web);

    await runs.reported(web.runId, {
      phase: 'failed',
      restarts: 1,
      detail: expect.stringMatching(/cpuSeconds=1\. It was restarted 1 times/),
    });
  });
});
