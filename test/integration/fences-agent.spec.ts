import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AgentRepository } from '../../src/hub/agents/agent.repository.js';
import type { AgentReport } from '../../src/protocol/frame.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker, Rows } from './support/rows.js';

let bench: Bench;
let rows: Rows;
let repository: AgentRepository;
let broker: PlantedBroker;

beforeAll(async () => {
  bench = await openBench();
  rows = bench.rows;
  repository = new AgentRepository(bench.database);
  broker = await rows.broker();
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

async function plant(over: object = {}): Promise<{ id: string; runId: string }> {
  const [id, runId] = [randomUUID(), randomUUID()];
  await rows.insert('agent', {
    id,
    name: `a-${id}`,
    broker_id: broker.id,
    runtime: 'process',
    spec: {},
    wanted: 'running',
    phase: 'running',
    run_id: runId,
    ...over,
  });
  return { id, runId };
}

const agent = (id: string) => rows.one('select * from agent where id = $1', [id]);

describe('a report', () => {
  let id: string;
  let runId: string;

  beforeEach(async () => {
    ({ id, runId } = await plant());
  });

  const take = (over: Partial<AgentReport & { brokerId: string }> = {}) =>
    repository.takeReports([
      {
        agentId: id,
        runId,
        brokerId: broker.id,
        phase: 'failed',
        exitCode: 3,
        detail: null,
        restarts: 0,
        ...over,
      },
    ]);

  it('moves the agent of its broker and its run', async () => {
    await take();

    expect(await agent(id)).toMatchObject({ phase: 'failed', exit_code: '3', revision: 2 });
  });

  it.each<[string, () => Parameters<typeof take>[0]]>([
    ['another broker', () => ({ brokerId: randomUUID() })],
    ['another run', () => ({ runId: randomUUID() })],
    ['the phase it is in already', () => ({ phase: 'running' })],
    ['a phase that is behind it', () => ({ phase: 'starting' })],
  ])('of %s changes nothing', async (_what, over) => {
    await take(over());

    expect(await agent(id)).toMatchObject({ phase: 'running', revision: 1 });
  });

  it('that comes again when the run is over changes nothing', async () => {
    await take();

    await take({ restarts: 4 });

    expect(await agent(id)).toMatchObject({ phase: 'failed', restarts: 0, revision: 2 });
  });
});

describe('the end of the latest command of an agent', () => {
  /** An agent in a phase, whose command ended by the word of its broker. */
  async function ended(phase: string, state: string): Promise<string> {
    const dispatchId = await rows.dispatch(broker, { state: 'running' });
    const { id } = await plant({ phase, dispatch_id: dispatchId });
    await rows.sql.query(
      `with removed as (delete from broker_dispatch where id = $1 returning *)
       insert into broker_dispatch_history
         (id, seq, broker_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail)
       select id, seq, broker_id, op, args, lane, $2, deadline_at, origin_replica, initiator, trail from removed`,
      [dispatchId, state],
    );
    return id;
  }

  it.each([
    ['starting', 'succeeded', 'running'],
    ['starting', 'expired', 'failed'],
    ['stopping', 'succeeded', 'stopped'],
    ['stopping', 'failed', 'running'],
    ['deleting', 'succeeded', 'deleted'],
    ['deleting', 'dead', 'failed'],
    ['running', 'failed', 'running'],
    ['failed', 'succeeded', 'failed'],
    ['deleted', 'failed', 'deleted'],
  ])('while it is %s, by %s, makes it %s', async (phase, state, after) => {
    const id = await ended(phase, state);

    await repository.catchUp();
    await repository.catchUp();

    expect(await agent(id)).toMatchObject({ phase: after, revision: phase === after ? 1 : 2 });
  });

  it('waits for nobody who holds the agent', async () => {
    const id = await ended('starting', 'succeeded');

    const moved = await rows.besides('select from agent where id = $1 for update', [id], () =>
      repository.catchUp(),
    );

    expect(moved).toBe(0);
    expect(await repository.catchUp()).toBe(1);
  });
});

describe('an agent', () => {
  it('is held by who looks at it to change it', async () => {
    const { id } = await plant();

    const found = await rows.meanwhile('update agent set revision = 7 where id = $1', [id], () =>
      repository.lock(bench.database.run, id),
    );

    expect(found).toMatchObject({ id, revision: 7 });
  });

  it('that was deleted is found neither by its name nor in a list', async () => {
    const { id } = await plant({ phase: 'deleted' });

    expect(await repository.idOfName(`a-${id}`)).toBeUndefined();
    const listed = await repository.list(null, { brokerId: broker.id, projectId: null }, 100);
    expect(listed.map((row) => row.id)).not.toContain(id);
  });

  it('forgets how its run went with the next run, and not before', async () => {
    const { id, runId } = await plant({ exit_code: 3, detail: 'over', restarts: 2 });
    const to = { phase: 'starting', wanted: 'running', dispatchId: randomUUID() } as const;

    await repository.step(bench.database.run, id, { ...to, runId });
    expect(await agent(id)).toMatchObject({ exit_code: '3', detail: 'over', restarts: 2 });
    await repository.step(bench.database.run, id, { ...to, runId: randomUUID() });
    expect(await agent(id)).toMatchObject({ exit_code: null, detail: null, restarts: 0 });
  });
});
