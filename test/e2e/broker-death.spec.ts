import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Api } from '../support/api.js';
import { BrokerProcess } from '../support/broker-process.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';

/** The agents write to a file of their own each time they start: what they say is what happened. */
describe('a command whose broker is killed', () => {
  let cluster: Cluster;
  let api: Api;
  let broker: BrokerProcess;
  let witness: string;
  let count = 0;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    api = cluster.api(0);
  }, 60_000);

  afterAll(async () => {
    await cluster.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  }, 30_000);

  beforeEach(async () => {
    count += 1;
    broker = await BrokerProcess.join(api, cluster.hub(1).url, `broker-${count}`);
    witness = join(broker.home, 'starts');
    await broker.start(api);
  }, 60_000);

  afterEach(async () => {
    // The agents outlive their broker, so the hub is asked to end them before the broker goes.
    const { body } = await api.get(`/api/v1/agents?broker=${broker.name}`);
    for (const { id } of body.items) {
      await api.call('DELETE', `/api/v1/agents/${id}`, undefined, { prefer: 'wait=30' });
    }
    await broker.remove();
  }, 60_000);

  const agent = async (script: string) => {
    const spec = { command: '/bin/sh', args: ['-c', `echo "$FAIRLEAD_RUN_ID" >> '${witness}'; ${script}`] };
    const { body } = await api.post('/api/v1/agents', { name: `agent-${count}`, broker: broker.name, spec });
    return body.id as string;
  };
  const act = async (id: string, verb: string, waitS = 0) =>
    (await api.post(`/api/v1/agents/${id}/${verb}`, undefined, waitS > 0 ? { prefer: `wait=${waitS}` } : {}))
      .body.dispatch;
  const starts = () => (existsSync(witness) ? readFileSync(witness, 'utf8').trim().split('\n') : []);
  const phase = async (id: string) => (await api.get(`/api/v1/agents/${id}`)).body.phase;

  it('before it has read the command does it once when it is back', async () => {
    const id = await agent('exec sleep 600');
    broker.signal('SIGSTOP');
    const { id: dispatchId } = await act(id, 'start');

    await broker.kill();
    await broker.start(api);

    expect(await api.dispatch(dispatchId, 20)).toMatchObject({ state: 'succeeded' });
    expect(starts()).toHaveLength(1);
  }, 60_000);

  it('in the middle of a command finishes it when it is back, and does nothing twice', async () => {
    const id = await agent("trap '' TERM; while :; do sleep 0.1; done");
    await act(id, 'start', 20);
    await eventually(() => starts().length === 1);
    const { id: dispatchId } = await act(id, 'restart');
    await eventually(async () => (await api.dispatch(dispatchId)).state === 'running');

    await broker.kill();
    await broker.start(api);

    expect(await api.dispatch(dispatchId, 40)).toMatchObject({ state: 'succeeded', attempt: 1 });
    await eventually(() => starts().length === 2);
    expect(new Set(starts()).size).toBe(2);
  }, 90_000);

  it('after the command has ended tells of the one process there is', async () => {
    const id = await agent('exec sleep 600');
    await act(id, 'start', 20);

    await broker.kill();
    await broker.start(api);

    await eventually(async () => (await phase(id)) === 'running');
    expect(starts()).toHaveLength(1);
  }, 60_000);

  it('tells of an agent that ended meanwhile, with its exit code', async () => {
    const id = await agent('sleep 1; exit 7');
    await act(id, 'start', 20);
    await broker.kill();
    await eventually(() => existsSync(join(broker.home, 'agents', id)) && starts().length === 1);

    await broker.start(api);

    const ended = await eventually(
      async () => {
        const { body } = await api.get(`/api/v1/agents/${id}`);
        return body.phase === 'failed' && body;
      },
      { withinMs: 20_000 },
    );
    expect(ended.exitCode).toBe(7);
  }, 60_000);

  it('and has lost its journal ends as unknown, and is not done again', async () => {
    const id = await agent("trap '' TERM; while :; do sleep 0.1; done");
    await act(id, 'start', 20);
    const { id: dispatchId } = await act(id, 'restart');
    await eventually(async () => (await api.dispatch(dispatchId)).state === 'running');
    await broker.kill();
    rmSync(broker.journal, { recursive: true });

    await broker.start(api);

    expect(await api.dispatch(dispatchId, 20)).toMatchObject({
      state: 'failed',
      error: { code: 'outcome_unknown' },
    });
  }, 60_000);
});
