import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { Broker } from '../../src/broker/broker.js';
import { AgentNotRunning } from '../../src/broker/broker.errors.js';
import type { Home } from '../../src/broker/home.js';
import { NO_RESTART } from '../../src/protocol/op.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { endRuns, NO_LIMITS } from './support/agents.js';
import { PROGRAMS } from './support/built.js';
import { ScriptedHub } from './support/hub.js';
import { readableLog } from './support/log.js';
import { joinedHome } from './support/membership.js';

describe('the agents of a broker', () => {
  let before: Stock;
  let hub: ScriptedHub;
  let home: Home;
  let broker: Broker;
  const { log, lines } = readableLog();
  const start = () => Broker.start({ home, log, programs: PROGRAMS });

  beforeAll(async () => {
    before = takeStock();
    hub = await ScriptedHub.open();
    home = await joinedHome(hub.url);
    broker = await start();
  });

  afterAll(async () => {
    await broker.stop({ stopAgents: true });
    await hub.close();
    await endRuns(home.agentsPath);
    rmSync(home.path, { recursive: true, force: true, maxRetries: 30, retryDelay: 100 });
    await expectNoLeaks(before, { withinMs: 6_000 });
  });

  const run = { agentId: uuidv7(), runId: uuidv7() };
  const file = () => join(home.agentsPath, run.agentId, 'runs', run.runId, 'token');
  const holds = (token: string) =>
    eventually(
      () => {
        try {
          return readFileSync(file(), 'utf8') === token;
        } catch {
          return false;
        }
      },
      { withinMs: 20_000 },
    );
  const args = {
    ...run,
    name: 'web',
    spec: {
      command: '/bin/sh',
      args: ['-c', 'exec sleep 600'],
      directory: null,
      environment: {},
      limits: NO_LIMITS,
      restart: NO_RESTART,
      stdin: 'closed',
    },
  };

  it('are given a token for their run as soon as it begins, which nobody else reads', async () => {
    const link = await hub.link(0);

    const { id } = link.dispatch('agent.start', args);

    expect(await link.result(id)).toMatchObject({ outcome: 'succeeded' });
    await holds('agent-1');
    expect(hub.agentRuns).toEqual([run]);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  it('are told of to who has the broker within a program of its own', async () => {
    await expect(broker.agentToken(run.agentId)).resolves.toEqual({ token: 'agent-2', expiresInS: 900 });
    await expect(broker.agentToken(uuidv7())).rejects.toThrow(AgentNotRunning);
  });

  it('that outlive it are given another one by its next life', async () => {
    await broker.stop({ stopAgents: false });

    broker = await start();

    await holds('agent-3');
  });

  it('have none any more once they have ended', async () => {
    const link = await hub.link(1);
    const { id } = link.dispatch('agent.stop', { ...run, graceMs: 0 });

    expect(await link.result(id)).toMatchObject({ outcome: 'succeeded' });

    // By then the broker knows of the end: it may hear of it after whoever asked for it.
    await eventually(() => !existsSync(file()), { withinMs: 20_000 });
    await expect(broker.agentToken(run.agentId)).rejects.toThrow(AgentNotRunning);
    expect(hub.agentRuns).toEqual([run, run, run]);
    expect(JSON.stringify(lines)).not.toMatch(/agent-[123]/);
  });
});
