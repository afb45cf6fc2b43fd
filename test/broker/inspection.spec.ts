import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { NO_LIMITS } from './support/agents.js';
import { Runs } from './support/runs.js';

describe('the inspection of an agent', () => {
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

  it('tells of its process, its limits and its output, and of its environment the names alone', async () => {
    const web = runs.order('echo hello; exec sleep 600', {
      environment: { API_TOKEN: 'of the agent' },
      limits: { ...NO_LIMITS, openFiles: 64 },
      stdin: 'messages',
    });
    const beganMs = Date.now();
    const pid = await runs.start(web);
    await eventually(async () => (await runs.output(web.agentId)).length === 1);

    const found = await runs.runtime.inspect(web);

    expect(found).toEqual({
      runId: web.runId,
      state: 'running',
      pid,
      startedAt: expect.any(String),
      restarts: 0,
      exitCode: null,
      detail: null,
      isSupervised: true,
      stdin: 'messages',
      environment: expect.arrayContaining(['API_TOKEN', 'FAIRLEAD_AGENT_ID', 'PATH']),
      limits: { ...NO_LIMITS, openFiles: 64 },
      output: { files: [{ name: 'output.log', bytes: 6 }], bytes: 6 },
    });
    expect(JSON.stringify(found)).not.toContain('of the agent');
    expect(Math.abs(Date.parse(found.startedAt ?? '') - beganMs)).toBeLessThan(30_000);
  });

  it('tells how often it was restarted, and how its run ended', async () => {
    runs.waitBeforeRestarts(0);
    const web = runs.order('exit 3', { restart: { policy: 'always', maxRestarts: 2 } });
    await runs.start(web);
    await runs.ended(web);

    expect(await runs.runtime.inspect(web)).toMatchObject({
      state: 'ended',
      restarts: 2,
      exitCode: 3,
      detail: expect.stringContaining('maxRestarts'),
      isSupervised: false,
    });
  });

  it('tells of one that is being stopped', async () => {
    const ready = join(runs.folder, 'ready');
    const web = runs.order(`trap '' TERM; touch '${ready}'; while :; do sleep 0.05; done`);
    await runs.start(web);
    await eventually(() => existsSync(ready));
    const stopping = runs.runtime.stopRun({ ...web, graceMs: 1_500 }, () => true);

    const state = async () => (await runs.runtime.inspect(web)).state;

    await eventually(async () => (await state()) === 'stopping');
    await stopping;
    expect(await state()).toBe('ended');
  });

  it('fails with agent_not_running where it was never started', async () => {
    await expect(runs.runtime.inspect({ agentId: uuidv7() })).rejects.toMatchObject({
      code: 'agent_not_running',
    });
  });
});
