import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import type { Api } from '../support/api.js';
import { atOnce } from '../support/at-once.js';
import { BrokerProcess } from '../support/broker-process.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';

/** All begin together, on a machine of few cores. */
const BUSY = { withinMs: 20_000 };

/** The agents write to a file of their own each time they start: what they say is what happened. */
describe('a command whose broker is killed', () => {
  let cluster: Cluster;
  let api: Api;
  let count = 0;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    api = cluster.api(0);
  });

  afterAll(async () => {
    await cluster.stop();
    // Connections that callers keep alive end a few seconds after their replica.
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  const begun = atOnce();
  const it = (title: string, scenario: (given: Given) => Promise<void>) => {
    count += 1;
    const name = `broker-${count}`;
    begun(
      title,
      async () => {
        const broker = await BrokerProcess.join(api, cluster.hub(1).url, name);
        try {
          await broker.start(api);
          await scenario(new Given(api, broker));
        } finally {
          // The agents outlive their broker, so the hub is asked to end them before the broker goes.
          const { body } = await api.get(`/api/v1/agents?broker=${broker.name}`);
          for (const { id } of body.items) {
            await api.call('DELETE', `/api/v1/agents/${id}`, undefined, { prefer: 'wait=30' });
          }
          await broker.remove();
        }
      },
      120_000,
    );
  };
  const act = async (id: string, verb: string, waitS = 0) =>
    (await api.post(`/api/v1/agents/${id}/${verb}`, undefined, waitS > 0 ? { prefer: `wait=${waitS}` } : {}))
      .body.dispatch;
  const phase = async (id: string) => (await api.get(`/api/v1/agents/${id}`)).body.phase;

  it('before it has read the command does it once when it is back', async ({ broker, agent, starts }) => {
    const id = await agent('exec sleep 600');
    broker.signal('SIGSTOP');
    const { id: dispatchId } = await act(id, 'start');

    await broker.kill();
    await broker.start(api);

    expect(await api.dispatch(dispatchId, 20)).toMatchObject({ state: 'succeeded' });
    expect(starts()).toHaveLength(1);
  });

  it('in the middle of a command finishes it when it is back, and does nothing twice', async ({
    broker,
    stubborn,
    starts,
    giveIn,
  }) => {
    const id = await stubborn();
    await act(id, 'start', 20);
    await eventually(() => starts().length === 1, BUSY);
    const { id: dispatchId } = await act(id, 'restart');
    await eventually(async () => (await api.dispatch(dispatchId)).state === 'running', BUSY);

    await broker.kill();
    await broker.start(api);
    giveIn();

    expect(await api.dispatch(dispatchId, 40)).toMatchObject({ state: 'succeeded', attempt: 1 });
    await eventually(() => starts().length === 2, BUSY);
    expect(new Set(starts()).size).toBe(2);
  });

  it('after the command has ended tells of the one process there is', async ({ broker, agent, starts }) => {
    const id = await agent('exec sleep 600');
    await act(id, 'start', 20);

    await broker.kill();
    await broker.start(api);

    await eventually(async () => (await phase(id)) === 'running', BUSY);
    expect(starts()).toHaveLength(1);
  });

  it('tells of an agent that ended meanwhile, with its exit code', async ({ broker, agent, starts }) => {
    const id = await agent('sleep 1; exit 7');
    await act(id, 'start', 20);
    await broker.kill();
    await eventually(() => existsSync(join(broker.home, 'agents', id)) && starts().length === 1, BUSY);

    await broker.start(api);

    const ended = await eventually(async () => {
      const { body } = await api.get(`/api/v1/agents/${id}`);
      return body.phase === 'failed' && body;
    }, BUSY);
    expect(ended.exitCode).toBe(7);
  });

  it('and has lost its journal ends as unknown, and is not done again', async ({
    broker,
    stubborn,
    giveIn,
  }) => {
    const id = await stubborn();
    await act(id, 'start', 20);
    const { id: dispatchId } = await act(id, 'restart');
    await eventually(async () => (await api.dispatch(dispatchId)).state === 'running', BUSY);
    await broker.kill();
    rmSync(broker.journal, { recursive: true });

    await broker.start(api);

    expect(await api.dispatch(dispatchId, 20)).toMatchObject({
      state: 'failed',
      error: { code: 'outcome_unknown' },
    });
    giveIn();
  });
});

/** A broker of the test's own, and agents that it runs. */
class Given {
  private readonly witness: string;
  private readonly sign: string;

  constructor(
    private readonly api: Api,
    readonly broker: BrokerProcess,
  ) {
    this.witness = join(broker.home, 'starts');
    this.sign = join(broker.home, 'gives-in');
  }

  readonly agent = async (script: string) => {
    const args = ['-c', `echo "$FAIRLEAD_RUN_ID" >> '${this.witness}'; ${script}`];
    const { name } = this.broker;
    const body = { name: `agent-of-${name}`, broker: name, spec: { command: '/bin/sh', args } };
    return (await this.api.post('/api/v1/agents', body)).body.id as string;
  };

  /** One that the first time ends when it gives in, and at no signal but SIGKILL: it is stopped until then. */
  readonly stubborn = () =>
    this.agent(
      `test "$(wc -l < '${this.witness}')" -gt 1 || { trap '' TERM; until test -e '${this.sign}'; do sleep 0.1; done; exit; }; exec sleep 600`,
    );

  readonly giveIn = () => writeFileSync(this.sign, '');

  readonly starts = () =>
    existsSync(this.witness) ? readFileSync(this.witness, 'utf8').trim().split('\n') : [];
}
