import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { AgentRepository } from '../../src/hub/agents/agent.repository.js';
import { Reports } from '../../src/hub/agents/reports.js';
import { StrayRepository, type KeptStray } from '../../src/hub/agents/stray.repository.js';
import { KEPT_OF_EACH_END, type Former } from '../../src/hub/agents/undo.js';
import { UndoRepository } from '../../src/hub/agents/undo.repository.js';
import { UpkeepRepository } from '../../src/hub/agents/upkeep.repository.js';
import type { Endings } from '../../src/hub/dispatch/endings.js';
import type { Progress } from '../../src/hub/dispatch/progress.js';
import { Loop, type LoopOptions } from '../../src/hub/lifecycle/loop.js';
import type { Loops } from '../../src/hub/lifecycle/loops.js';
import type { AgentReport } from '../../src/protocol/frame.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker, Rows } from './support/rows.js';

let bench: Bench;
let rows: Rows;
let repository: AgentRepository;
let broker: PlantedBroker;

beforeAll(async () => {
  // A line of the log opens the output of this process, which may be a pipe, and stays.
  Logger.overrideLogger(false);
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
const catchUp = async () => (await repository.catchUp(500)).moved;

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

async function end(dispatchId: string, state: string, result: unknown = null): Promise<void> {
  await rows.sql.query(
    `with removed as (delete from broker_dispatch where id = $1 returning *)
     insert into broker_dispatch_history
       (id, seq, broker_id, op, args, lane, state, attempt, deadline_at, origin_replica, initiator, trail, result)
     select id, seq, broker_id, op, args, lane, $2, attempt, deadline_at, origin_replica, initiator, trail, $3 from removed`,
    [dispatchId, state, JSON.stringify(result)],
  );
}

describe('the end of the latest command of an agent', () => {
  /** An agent in a phase, whose command ended by the word of its broker. */
  async function ended(phase: string, state: string, result: unknown = null, over = {}): Promise<string> {
    const dispatchId = await rows.dispatch(broker, { state: 'running' });
    const { id } = await plant({ phase, dispatch_id: dispatchId, ...over });
    await end(dispatchId, state, result);
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

    await catchUp();
    await catchUp();

    expect(await agent(id)).toMatchObject({ phase: after, revision: phase === after ? 1 : 2 });
  });

  it('gives the exit code where a report could say it, and none otherwise, of all agents at once', async () => {
    const said: readonly (readonly [result: unknown, exitCode: string | null])[] = [
      [{ exitCode: 3 }, '3'],
      [{ exitCode: -1 }, '-1'],
      [{ exitCode: 0xffff_ffff }, '4294967295'],
      [{ exitCode: -2 }, null],
      [{ exitCode: 0x1_0000_0000 }, null],
      [{ exitCode: 1.5 }, null],
      [{ exitCode: 1e300 }, null],
      [{ exitCode: 'SIGTERM' }, null],
      [{ exitCode: '3' }, null],
      [{ exitCode: [3] }, null],
      [{ exitCode: {} }, null],
      [{ exitCode: null }, null],
      [{}, null],
      [[{ exitCode: 3 }], null],
      ['stopped', null],
      [null, null],
    ];
    const ids: string[] = [];
    for (const [result] of said) ids.push(await ended('stopping', 'succeeded', result));

    await catchUp();

    const seen = await Promise.all(ids.map(agent));
    expect(seen.map(({ phase, exit_code }) => [phase, exit_code])).toEqual(
      said.map(([, exitCode]) => ['stopped', exitCode]),
    );
  });

  it.each([
    ['deleting', 'succeeded', {}],
    ['deleting', 'failed', { A: 'b' }],
    ['stopping', 'succeeded', { A: 'b' }],
  ])('while it is %s, by %s, leaves of its environment %j', async (phase, state, environment) => {
    const spec = { command: 'true', environment: { A: 'b' } };
    const id = await ended(phase, state, null, { spec });

    await catchUp();

    expect((await agent(id)).spec).toEqual({ command: 'true', environment });
  });

  it('waits for nobody who holds the agent', async () => {
    const id = await ended('starting', 'succeeded');

    const moved = await rows.besides('select from agent where id = $1 for update', [id], () => catchUp());

    expect(moved).toBe(0);
    expect(await catchUp()).toBe(1);
  });
});

describe('a command of an agent that was given up', () => {
  const TO = {
    start: { phase: 'starting', wanted: 'running', newRun: true },
    restart: { phase: 'starting', wanted: 'running', newRun: true },
    stop: { phase: 'stopping', wanted: 'stopped', newRun: false },
    delete: { phase: 'deleting', wanted: 'deleted', newRun: false },
  } as const;

  /** What is given to the agent is not sent yet. */
  async function give(id: string, verb: keyof typeof TO): Promise<{ dispatchId: string; runId: string }> {
    const { newRun, ...to } = TO[verb];
    const dispatchId = await rows.dispatch(broker, { op: `agent.${verb}` });
    const runId = newRun ? randomUUID() : (await agent(id)).run_id;
    const { run } = bench.database;
    const undo = await new UndoRepository().of(run, id, dispatchId);
    await repository.step(run, id, { ...to, runId, dispatchId }, undo);
    return { dispatchId, runId };
  }
  const send = (dispatchId: string) =>
    rows.sql.query('update broker_dispatch set attempt = 1 where id = $1', [dispatchId]);

  it.each([
    ['running', 'running', 'restart', 'cancelled'],
    ['running', 'running', 'restart', 'expired'],
    ['failed', 'running', 'restart', 'expired'],
    ['running', 'running', 'delete', 'cancelled'],
    ['stopped', 'stopped', 'delete', 'cancelled'],
    ['stopped', 'stopped', 'start', 'cancelled'],
    ['running', 'running', 'stop', 'cancelled'],
  ] as const)(
    'leaves one that is %s, and wanted %s, so: a %s, %s before it was sent',
    async (phase, wanted, verb, state) => {
      const was = { phase, wanted, exit_code: 3, detail: 'once', restarts: 2, dispatch_id: randomUUID() };
      const { id, runId } = await plant(was);
      const { dispatchId } = await give(id, verb);
      await end(dispatchId, state);

      await catchUp();

      expect(await agent(id)).toMatchObject({ ...was, exit_code: '3', run_id: runId, undo: null });
    },
  );

  it.each([
    ['start', 'expired', false, 'failed'],
    ['delete', 'expired', false, 'deleted'],
    ['stop', 'expired', false, 'running'],
    ['restart', 'expired', true, 'failed'],
    ['restart', 'cancelled', true, 'failed'],
    ['delete', 'expired', true, 'failed'],
    ['delete', 'cancelled', true, 'failed'],
  ] as const)('a %s, %s, and sent: %s, makes it %s', async (verb, state, isSent, phase) => {
    const { id } = await plant();
    const { dispatchId, runId } = await give(id, verb);
    if (isSent) await send(dispatchId);
    await end(dispatchId, state);

    await catchUp();

    expect(await agent(id)).toMatchObject({ phase, run_id: runId, wanted: TO[verb].wanted });
  });

  /** One turn of a replica that follows ends. */
  async function turn(): Promise<void> {
    const turns = new Map<string, LoopOptions['turn']>();
    const endings: Pick<Endings, 'observe'> = { observe: () => undefined };
    const progress: Pick<Progress, 'agentsChanged'> = { agentsChanged: () => undefined };
    const loops: Pick<Loops, 'make'> = {
      make: (options) => {
        turns.set(options.name, options.turn);
        return new Loop({ ...options, onFault: () => undefined });
      },
    };
    new Reports(repository, endings as Endings, progress as Progress, loops as Loops);
    await turns.get('agent endings')?.(new AbortController().signal);
  }

  it('leaves it with the run that its broker knows, within one turn, however many were given', async () => {
    const { id, runId } = await plant();
    const given: string[] = [];
    for (let count = 0; count < 5; count += 1) given.push((await give(id, 'restart')).dispatchId);
    const { dispatchId } = await give(id, 'delete');
    for (const restart of given) await end(restart, 'expired');
    await end(dispatchId, 'cancelled');

    await turn();

    expect(await agent(id)).toMatchObject({ phase: 'running', wanted: 'running', run_id: runId, undo: null });
    const standing = await repository.standingOf({ agentId: id, runId }, broker.id);
    expect(standing?.goesOn).toBe(true);
  });

  it('leaves it to the command before, where that goes on', async () => {
    const { id } = await plant();
    const first = await give(id, 'restart');
    const second = await give(id, 'restart');
    await end(second.dispatchId, 'cancelled');

    await catchUp();
    const meanwhile = await agent(id);
    await send(first.dispatchId);
    await end(first.dispatchId, 'succeeded');
    await catchUp();

    const { dispatchId: dispatch_id, runId: run_id } = first;
    expect(meanwhile).toMatchObject({ phase: 'starting', run_id, dispatch_id });
    expect(await agent(id)).toMatchObject({ phase: 'running', run_id, dispatch_id });
  });

  const depthOf = async (id: string) => (await agent(id)).undo.length;

  it('keeps what it may still go back to, and no more of what has ended before the latest', async () => {
    const { id, runId } = await plant();
    const { id: other } = await plant();
    let latest = await give(id, 'restart');
    await give(other, 'restart');
    for (let count = 0; count < 5; count += 1) {
      const before = latest;
      latest = await give(id, 'restart');
      await end(before.dispatchId, 'expired');
    }
    expect(await depthOf(id)).toBe(2);
    const last = await give(id, 'restart');
    expect(await depthOf(id)).toBe(2);
    await end(latest.dispatchId, 'expired');
    await end(last.dispatchId, 'expired');

    await turn();

    expect(await agent(id)).toMatchObject({ phase: 'running', run_id: runId, undo: null });
  });

  it('goes back to the latest that was sent, and not to what that took the place of', async () => {
    const { id } = await plant();
    const sent = await give(id, 'restart');
    const unsent = [await give(id, 'restart')];
    await send(sent.dispatchId);
    await end(sent.dispatchId, 'succeeded');
    unsent.push(await give(id, 'restart'));
    expect(await depthOf(id)).toBe(2);
    for (const { dispatchId } of unsent) await end(dispatchId, 'expired');

    await turn();

    expect(await agent(id)).toMatchObject({ phase: 'running', run_id: sent.runId, undo: null });
  });

  it.each([
    ['restart', 'expired', false, true],
    ['start', 'cancelled', false, true],
    ['start', 'expired', false, false],
    ['restart', 'expired', true, false],
    ['restart', 'cancelled', true, false],
  ] as const)(
    'is left out below a later one where it was a %s, %s, and sent: %s, is %s',
    async (verb, state, isSent, isLeftOut) => {
      const was = randomUUID();
      const { id } = await plant({ dispatch_id: was });
      const [first, second] = [await give(id, verb), await give(id, 'restart')];
      if (isSent) await send(first.dispatchId);
      await end(first.dispatchId, state);

      await give(id, 'restart');

      const { undo } = await agent(id);
      expect(undo.map((former: Former) => former.dispatchId)).toEqual([
        second.dispatchId,
        isLeftOut ? was : first.dispatchId,
      ]);
    },
  );

  it('keeps of very many that are on their way the latest and the first', async () => {
    const { id, runId } = await plant();
    const given: string[] = [];
    for (let count = 0; count < 2 * KEPT_OF_EACH_END + 8; count += 1)
      given.push((await give(id, 'restart')).dispatchId);
    expect(await depthOf(id)).toBe(2 * KEPT_OF_EACH_END);
    for (const dispatchId of given) await end(dispatchId, 'expired');

    await turn();

    expect(await agent(id)).toMatchObject({ phase: 'running', run_id: runId, undo: null });
  });

  it('undoes nothing where another command came after, of which nothing is kept', async () => {
    const { id } = await plant();
    await give(id, 'restart');
    const dispatchId = await rows.dispatch(broker, { op: 'agent.restart' });
    const runId = randomUUID();
    await rows.sql.query('update agent set run_id = $2, dispatch_id = $3 where id = $1', [
      id,
      runId,
      dispatchId,
    ]);
    await end(dispatchId, 'cancelled');

    await catchUp();

    expect(await agent(id)).toMatchObject({ phase: 'failed', run_id: runId });
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
    const listed = await repository.list(null, { brokerId: broker.id, projectId: null }, 100, null);
    expect(listed.map((row) => row.id)).not.toContain(id);
  });

  it('forgets how its run went with the next run, and not before', async () => {
    const { id, runId } = await plant({ exit_code: 3, detail: 'over', restarts: 2 });
    const to = { phase: 'starting', wanted: 'running', dispatchId: randomUUID() } as const;

    await repository.step(bench.database.run, id, { ...to, runId }, []);
    expect(await agent(id)).toMatchObject({ exit_code: '3', detail: 'over', restarts: 2 });
    await repository.step(bench.database.run, id, { ...to, runId: randomUUID() }, []);
    expect(await agent(id)).toMatchObject({ exit_code: null, detail: null, restarts: 0 });
  });
});

describe('what is deleted', () => {
  const DAYS = 30;
  const LONG_AGO = new Date(Date.now() - (DAYS + 1) * 86_400_000);
  let upkeep: UpkeepRepository;

  beforeAll(() => {
    upkeep = new UpkeepRepository(bench.database);
  });

  beforeEach(async () => {
    await rows.sql.query('delete from agent');
  });

  const minutesAgo = (minutes: number, from = Date.now()) => new Date(from - minutes * 60_000);
  const BEFORE = minutesAgo(60, LONG_AGO.getTime());

  /** An agent that was deleted long ago at a broker that was there since, for an hour. */
  async function deleted(
    over: object = {},
    { lastSeenAt = new Date(), linkedAt = minutesAgo(60) } = {},
  ): Promise<string> {
    const own = await rows.broker();
    await rows.sql.query('update broker_connection set since = $2 where broker_id = $1', [own.id, linkedAt]);
    await rows.insert('broker_presence', { broker_id: own.id, state: 'offline', last_seen_at: lastSeenAt });
    const { id } = await plant({ broker_id: own.id, phase: 'deleted', updated_at: LONG_AGO, ...over });
    return id;
  }
  const forget = (most: number, after: string | null = null) => upkeep.forgetDeleted(after, DAYS, most);
  /** Ids in their order; rows are planted the other way round. */
  const idsOf = (count: number) => Array.from({ length: count }, () => randomUUID()).sort();
  const left = async () => (await rows.sql.query('select id from agent')).rows.map(({ id }) => id);

  it('without a command has no environment any more, and is found by its name no longer', async () => {
    const { id } = await plant({ phase: 'failed', spec: { command: 'true', environment: { A: 'b' } } });

    const other = await plant();

    await repository.delete(bench.database.run, id);

    const spec = { command: 'true', environment: {} };
    expect(await agent(id)).toMatchObject({ phase: 'deleted', wanted: 'deleted', spec, revision: 2 });
    expect(await repository.idOfName(`a-${id}`)).toBeUndefined();
    expect(await agent(other.id)).toMatchObject({ phase: 'running', revision: 1 });
  });

  it('is emptied of the environment that it still has, and nothing else is', async () => {
    const spec = { environment: { $names: ['A'], $sealed: 'x' } };
    const [gone, kept] = [await plant({ phase: 'deleted', spec }), await plant({ phase: 'deleting', spec })];

    const emptied = [await upkeep.emptyDeleted(null, 10), await upkeep.emptyDeleted(null, 10)];

    expect(emptied).toEqual([[gone.id], []]);
    expect((await agent(gone.id)).spec).toEqual({ environment: {} });
    expect((await agent(kept.id)).spec).toEqual(spec);
  });

  it('is emptied in the order of ids, so many at a time, each batch after the one before', async () => {
    const spec = { environment: { A: 'b' } };
    const ids = idsOf(4);
    for (const id of ids.toReversed()) await plant({ id, name: `a-${id}`, phase: 'deleted', spec });

    const first = await upkeep.emptyDeleted(null, 2);
    await rows.sql.query('update agent set spec = $1', [spec]);
    const second = await upkeep.emptyDeleted(first.at(-1) ?? null, 10);

    expect([first, second]).toEqual([ids.slice(0, 2), ids.slice(2)]);
  });

  it('is forgotten once that was longer ago, so many at a time, each batch after the one before', async () => {
    const ids = idsOf(4);
    for (const id of ids.toReversed()) await deleted({ id, name: `a-${id}` });

    const first = await forget(2);
    const second = await forget(10, ids[2]);

    expect([first, second]).toEqual([ids.slice(0, 2), ids.slice(3)]);
    expect(await left()).toEqual([ids[2]]);
  });

  it('is forgotten without a run, whether its broker was there since or not', async () => {
    const id = await deleted({ run_id: null }, { lastSeenAt: BEFORE, linkedAt: BEFORE });

    expect(await forget(10)).toEqual([id]);
  });

  it('is forgotten where its broker was there for long enough and is away since', async () => {
    const id = await deleted({}, { lastSeenAt: minutesAgo(40), linkedAt: minutesAgo(55) });

    expect(await forget(10)).toEqual([id]);
  });

  it.each<[string, object, { lastSeenAt?: Date; linkedAt?: Date }]>([
    ['was deleted of late', { updated_at: new Date(Date.now() - (DAYS - 1) * 86_400_000) }, {}],
    ['is not deleted', { phase: 'failed' }, {}],
    [
      'may go on at a broker that was not there since',
      {},
      { lastSeenAt: minutesAgo(1, LONG_AGO.getTime()), linkedAt: BEFORE },
    ],
    ['may go on at a broker that is back for minutes alone', {}, { linkedAt: minutesAgo(9) }],
    [
      'may go on at a broker that was back for minutes alone',
      {},
      { lastSeenAt: minutesAgo(46), linkedAt: minutesAgo(55) },
    ],
    [
      'may go on at a broker that left minutes after the delete',
      {},
      { lastSeenAt: minutesAgo(-9, LONG_AGO.getTime()), linkedAt: BEFORE },
    ],
  ])('is kept where it %s', async (_what, over, broker) => {
    const id = await deleted(over, broker);

    expect(await forget(10)).toEqual([]);
    expect(await left()).toEqual([id]);
  });

  it('is kept for as long as a run of it is on record as a stray', async () => {
    const id = await deleted();
    const { broker_id } = await agent(id);
    const stray = { kind: 'orphan', reason: 'agent_deleted', phase: 'running', run_id: randomUUID() };
    await rows.insert('agent_stray', { broker_id, agent_id: id, id: uuidv7(), ...stray });

    expect(await forget(10)).toEqual([]);
    await rows.sql.query('delete from agent_stray where agent_id = $1', [id]);
    expect(await forget(10)).toEqual([id]);
  });

  it('is forgotten where its broker was revoked, which never comes back', async () => {
    const id = await deleted({}, { lastSeenAt: BEFORE, linkedAt: BEFORE });
    await rows.sql.query(
      'update broker set revoked_at = now() where id = (select broker_id from agent where id = $1)',
      [id],
    );

    expect(await forget(10)).toEqual([id]);
  });

  it('is left to who is at it', async () => {
    const id = await deleted();

    const forgotten = await rows.besides('select from agent where id = $1 for update', [id], () =>
      forget(10),
    );

    expect(forgotten).toEqual([]);
  });
});

describe('a run that its broker does not know any more', () => {
  const LOST = { ranS: 60, detail: 'lost' };
  const HOUR_AGO = new Date(Date.now() - 3_600_000);
  const owner = (over: object = {}) => ({
    brokerId: broker.id,
    replicaId: broker.replicaId,
    epoch: broker.epoch,
    ...over,
  });
  const lose = (id: string, runId: string, over: object = {}) =>
    repository.lose(bench.database.run, owner(over), { agentId: id, runId }, LOST);

  it('has failed, and what stood there of an end is gone', async () => {
    const { id, runId } = await plant({ exit_code: 3, detail: 'restart 1', updated_at: HOUR_AGO });

    expect(await lose(id, runId)).toEqual({ isLost: true, mayStartAgain: false });
    expect(await lose(id, runId)).toEqual({ isLost: false, mayStartAgain: false });

    expect(await agent(id)).toMatchObject({ phase: 'failed', exit_code: null, detail: 'lost', revision: 2 });
  });

  it.each<[string, object, object]>([
    ['under an older epoch of the broker', {}, { epoch: 4 }],
    ['under another replica', {}, { replicaId: randomUUID() }],
    ['of an agent that is elsewhere by now', { broker_id: randomUUID() }, {}],
    ['of an agent that has gone on to another run', { run_id: randomUUID() }, {}],
    ['of one that is being deleted', { phase: 'deleting' }, {}],
    ['of one that has ended', { phase: 'stopped' }, {}],
  ])('changes nothing %s', async (_what, row, over) => {
    const { id, runId } = await plant(row);

    expect(await lose(id, runId, over)).toMatchObject({ isLost: false });

    expect(await agent(id)).toMatchObject({ revision: 1 });
  });

  it('waits for the command of its agent that has not ended', async () => {
    const dispatchId = await rows.dispatch(broker, { state: 'running' });
    const { id, runId } = await plant({ dispatch_id: dispatchId });

    expect(await lose(id, runId)).toMatchObject({ isLost: false });
  });

  it.each<[string, boolean, object]>([
    ['may, by its policy', true, {}],
    ['may not, without one', false, { spec: { restart: { policy: 'never' } } }],
    ['may not, where it is to stop', false, { phase: 'stopping', wanted: 'stopped' }],
    ['may not, where it was never seen to run', false, { phase: 'starting' }],
    ['may not, where nobody wants it to run', false, { wanted: 'stopped' }],
    ['may not, where it had changed just now', false, { updated_at: new Date() }],
  ])('%s be started again', async (_what, mayStartAgain, row) => {
    const spec = { restart: { policy: 'on-failure' } };
    const { id, runId } = await plant({ spec, updated_at: HOUR_AGO, ...row });

    expect(await lose(id, runId)).toEqual({ isLost: true, mayStartAgain });
  });

  it('is judged once a newer connection of its broker is there, and then by that', async () => {
    const moving = await rows.broker();
    const { id, runId } = await plant({ broker_id: moving.id });

    const outcome = await rows.meanwhile(
      'update broker_connection set epoch = epoch + 1 where broker_id = $1',
      [moving.id],
      () =>
        repository.lose(
          bench.database.run,
          { brokerId: moving.id, replicaId: moving.replicaId, epoch: moving.epoch },
          { agentId: id, runId },
          LOST,
        ),
    );

    expect(outcome.isLost).toBe(false);
  });

  it('is judged by what the agent is once somebody is done with it', async () => {
    const { id, runId } = await plant();

    const outcome = await rows.meanwhile(`update agent set phase = 'deleting' where id = $1`, [id], () =>
      lose(id, runId),
    );

    expect(outcome.isLost).toBe(false);
    expect(await agent(id)).toMatchObject({ phase: 'deleting' });
  });
});

describe('the strays of a broker', () => {
  let found: PlantedBroker;
  let strays: StrayRepository;

  beforeEach(async () => {
    found = await rows.broker();
    strays = new StrayRepository(bench.database);
  });

  const stray = (over: Partial<KeptStray> = {}): KeptStray => ({
    id: uuidv7(),
    kind: 'stranger',
    reason: 'agent_unknown',
    agentId: randomUUID(),
    runId: randomUUID(),
    phase: 'running',
    dispatchId: null,
    ...over,
  });
  const keep = (kept: KeptStray[], over: object = {}) =>
    strays.keep({ brokerId: found.id, replicaId: found.replicaId, epoch: found.epoch, ...over }, kept);
  const onRecord = async () => {
    const filter = { brokerId: found.id, agentId: null, kind: null };
    return (await strays.list(null, filter, 100, null)).reverse();
  };

  it('take the place of those before: what is still there stays as it was found, what is gone goes', async () => {
    const [stays, goes, runsAnew] = [stray(), stray(), stray()];
    await keep([stays, goes, runsAnew]);
    const before = await onRecord();

    const newRun = stray({ agentId: runsAnew.agentId });
    await keep([{ ...stays, id: uuidv7(), phase: 'stopping' }, newRun]);

    const now = await onRecord();
    expect(now.map(({ agentId }) => agentId)).toEqual([stays.agentId, runsAnew.agentId]);
    expect(now[0]).toMatchObject({ id: stays.id, foundAt: before[0]?.foundAt, phase: 'stopping' });
    expect(now[1]).toMatchObject({ id: newRun.id, runId: newRun.runId });
    expect(now[1]?.foundAt).not.toEqual(before[2]?.foundAt);
  });

  it('of other brokers stay', async () => {
    const other = await rows.broker();
    await strays.keep({ brokerId: other.id, replicaId: other.replicaId, epoch: other.epoch }, [stray()]);

    await keep([stray()]);
    await keep([]);

    expect(await onRecord()).toEqual([]);
    expect(await strays.ofBrokers([other.id])).toHaveLength(1);
  });

  it.each([
    ['an older epoch', { epoch: 4 }],
    ['another replica', { replicaId: randomUUID() }],
  ])('that were found under %s change nothing', async (_what, over) => {
    const known = stray();
    await keep([known]);

    await keep([stray()], over);

    expect(await onRecord()).toMatchObject([{ id: known.id }]);
  });

  it('wait for a connection that is being made, and are then of the one before', async () => {
    await rows.meanwhile(
      'update broker_connection set epoch = epoch + 1 where broker_id = $1',
      [found.id],
      () => keep([stray()]),
    );

    expect(await onRecord()).toEqual([]);
  });
});

describe('the agents that a list is compared with', () => {
  it('are those that are named, and those of the broker that go on or are being deleted', async () => {
    const strays = new StrayRepository(bench.database);
    const own = await rows.broker();
    const named = await plant({ phase: 'deleted' });
    const [runs, _over] = [
      await plant({ broker_id: own.id }),
      await plant({ broker_id: own.id, phase: 'failed' }),
    ];
    const dispatchId = await rows.dispatch(own);
    const commanded = await plant({ broker_id: own.id, phase: 'starting', dispatch_id: dispatchId });
    const endedId = await rows.dispatch(own);
    await end(endedId, 'cancelled');
    const unfollowed = await plant({ broker_id: own.id, phase: 'deleting', dispatch_id: endedId });
    const followed = await plant({ broker_id: own.id, dispatch_id: endedId });

    const known = await strays.known([own.id], [named.id, randomUUID()]);

    expect(new Map(known.map(({ id, isCommanded }) => [id, isCommanded]))).toEqual(
      new Map([
        [named.id, false],
        [runs.id, false],
        [commanded.id, true],
        [unfollowed.id, true],
        [followed.id, false],
      ]),
    );
  });
});

describe('the standing of a run', () => {
  /** An agent of a project to which its broker is attached. */
  async function placed(over: object = {}, attachment: object = {}) {
    const owner = await rows.broker();
    const projectId = uuidv7();
    await rows.insert('project', { id: projectId, name: `p-${projectId}`, created_by: randomUUID() });
    await rows.insert('broker_attachment', {
      id: uuidv7(),
      project_id: projectId,
      broker_id: owner.id,
      state: 'online',
      is_exclusive: true,
      attached_by: randomUUID(),
      ...attachment,
    });
    const { id: agentId, runId } = await plant({ broker_id: owner.id, project_id: projectId, ...over });
    return { run: { agentId, runId }, owner, projectId };
  }

  it.each(['starting', 'running', 'stopping'])('that is %s goes on', async (phase) => {
    const { run, owner, projectId } = await placed({ phase });

    expect(await repository.standingOf(run, owner.id)).toEqual({ projectId, goesOn: true, isAttached: true });
  });

  it.each(['created', 'stopped', 'failed', 'deleting', 'deleted'])('that is %s does not', async (phase) => {
    const { run, owner } = await placed({ phase });

    expect(await repository.standingOf(run, owner.id)).toMatchObject({ goesOn: false });
  });

  it('of an agent that has another, or has had none, does not go on', async () => {
    const [{ run, owner }, { run: none, owner: other }] = [await placed(), await placed({ run_id: null })];

    const standings = [
      await repository.standingOf({ ...run, runId: randomUUID() }, owner.id),
      await repository.standingOf(none, other.id),
    ];

    expect(standings.map((standing) => standing?.goesOn)).toEqual([false, false]);
  });

  it('is nothing for a broker that the agent is not on, or that was revoked', async () => {
    const { run } = await placed();
    const { run: left, owner } = await placed();
    await rows.sql.query('update broker set revoked_at = now() where id = $1', [owner.id]);

    const standings = [
      await repository.standingOf(run, owner.id),
      await repository.standingOf(left, owner.id),
    ];

    expect(standings).toEqual([undefined, undefined]);
  });

  it('is attached while the broker is, whether it can be reached or not, and for no other project', async () => {
    const offline = await placed({}, { state: 'offline' });
    const detached = await placed({}, { state: 'offline', detached_at: new Date() });
    const ofNone = await plant();
    const elsewhere = await placed();
    await rows.sql.query('update agent set project_id = $2 where id = $1', [
      elsewhere.run.agentId,
      offline.projectId,
    ]);

    const standings = [
      await repository.standingOf(offline.run, offline.owner.id),
      await repository.standingOf({ agentId: ofNone.id, runId: ofNone.runId }, broker.id),
      await repository.standingOf(detached.run, detached.owner.id),
      await repository.standingOf(elsewhere.run, elsewhere.owner.id),
    ];

    expect(standings.map((standing) => standing?.isAttached)).toEqual([true, true, false, false]);
  });
});
