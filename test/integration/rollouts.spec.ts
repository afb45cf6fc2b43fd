import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { trailsOf } from '../../src/hub/dispatch/trails.js';
import { Judgement } from '../../src/hub/drain/judgement.js';
import type { Replica } from '../../src/hub/cluster/replica.js';
import type { RolloutOutcome, RolloutReport, RolloutStep } from '../../src/hub/drain/rollout-row.js';
import { Rollouts } from '../../src/hub/drain/rollouts.js';
import type { Loop, LoopOptions } from '../../src/hub/lifecycle/loop.js';
import type { Loops } from '../../src/hub/lifecycle/loops.js';
import { RolloutRepository, type DueRollout } from '../../src/hub/drain/rollout.repository.js';
import { StayRepository } from '../../src/hub/registry/stay.repository.js';
import { Stays } from '../../src/hub/registry/stays.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';
import type { Rows } from './support/rows.js';

let bench: Bench;
let rows: Rows;
let rollouts: RolloutRepository;
let judgement: Judgement;

const NOW = Date.now();
/** Seconds before now. */
const ago = (s: number) => new Date(NOW - s * 1_000);

beforeAll(async () => {
  bench = await openBench();
  rows = bench.rows;
  rollouts = new RolloutRepository(bench.database);
  judgement = new Judgement(new Stays(new StayRepository(bench.database)), trailsOf(bench.database));
});

afterEach(async () => {
  await rows.sql.query(
    'truncate rollout, broker_connection, broker_stay, broker_dispatch, broker_dispatch_history',
  );
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

/** A drain that began a minute and ended half a minute ago. */
const drained = (replicaId: string, over: Partial<DueRollout> = {}): DueRollout => ({
  id: uuidv7(),
  replicaId,
  begunAt: ago(60),
  endedAt: ago(30),
  ageS: 30,
  ...over,
});

/** A broker that a replica owned until a moment of its drain, and another one some milliseconds later. */
async function moved(replicaId: string, gapMs: number | null, endReason = 'newer_connection') {
  const broker = await rows.broker();
  const [endedAt, beganAt] = [ago(40), new Date(ago(40).getTime() + (gapMs ?? 0))];
  await rows.sql.query('delete from broker_stay where broker_id = $1', [broker.id]);
  await rows.stay({ ...broker, replicaId, epoch: 4 }, { ended_at: endedAt, end_reason: endReason });
  if (gapMs !== null) await rows.stay(broker, { began_at: beganAt });
  await rows.sql.query(`update broker_connection set since = $2 where broker_id = $1`, [broker.id, beganAt]);
  return broker;
}

type Step = { state: string; atS: number; epoch?: number; attempt?: number };

/** A command in the history, with a trail whose steps were taken so many seconds before now. */
async function ended(brokerId: string, steps: Step[], over: Record<string, unknown> = {}) {
  const trail = steps.map(({ atS, ...step }) => JSON.stringify({ ...step, at: ago(atS).toISOString() }));
  const first = steps[0]?.atS ?? 0;
  const id = uuidv7({ msecs: ago(first).getTime() });
  await rows.insert('broker_dispatch_history', {
    id,
    seq: Math.round(1_000_000 - first * 1_000),
    broker_id: brokerId,
    op: 'broker.ping',
    args: {},
    lane: 'normal',
    state: 'succeeded',
    attempt: 1,
    deadline_at: ago(-900),
    created_at: ago(first),
    ended_at: ago(steps.at(-1)?.atS ?? 0),
    origin_replica: randomUUID(),
    initiator: {},
    trail,
    ...over,
  });
  return id;
}

const LIFE: Step[] = [
  { state: 'pending', atS: 50 },
  { state: 'claimed', atS: 49, epoch: 4, attempt: 1 },
  { state: 'running', atS: 48, epoch: 4, attempt: 1 },
  { state: 'succeeded', atS: 35, epoch: 5, attempt: 1 },
];

describe('the report of a drain', () => {
  it('counts the brokers that moved, and the longest time of each without an owner', async () => {
    const replicaId = randomUUID();
    const [slow] = [await moved(replicaId, 180), await moved(replicaId, 0), await moved(replicaId, 20)];
    await moved(randomUUID(), 5_000);

    const report = await judgement.of(drained(replicaId));

    expect(report).toMatchObject({ clean: true, moved: 3, letGo: 0, unowned: 0, commands: 0 });
    expect(report?.gapMs).toEqual({ p50: 20, p99: 180, max: 180 });
    expect(report?.gaps.map(({ ms }) => ms)).toEqual([180, 20, 0]);
    expect(report?.gaps[0]?.broker.id).toBe(slow.id);
  });

  it('tells those that were cut at the deadline, and those that left by themselves', async () => {
    const replicaId = randomUUID();
    await moved(replicaId, 3_000, 'the replica has drained');
    await moved(replicaId, null, 'goodbye the broker stops');

    const report = await judgement.of(drained(replicaId));

    expect(report).toMatchObject({ clean: true, moved: 1, letGo: 1, left: 1, unowned: 0 });
    expect(report?.gapMs.max).toBe(3_000);
  });

  it('waits for a broker that is away and for commands that go on, and not for ever', async () => {
    const replicaId = randomUUID();
    await moved(replicaId, null, 'the replica has drained');
    const other = randomUUID();
    const broker = await moved(other, 0);
    await rows.dispatch(broker, { state: 'running', created_at: ago(50) });

    const [early, earlyToo] = [await judgement.of(drained(replicaId)), await judgement.of(drained(other))];
    const late = await judgement.of(drained(replicaId, { ageS: 46 }));
    const lateToo = await judgement.of(drained(other, { ageS: 46 }));

    expect([early, earlyToo]).toEqual([undefined, undefined]);
    expect(late).toMatchObject({ clean: true, moved: 0, unowned: 1 });
    expect(lateToo).toMatchObject({ moved: 1, live: 1, lost: 0 });
  });

  it('proves the commands that were alive during the drain by their trails, and no others', async () => {
    const replicaId = randomUUID();
    const broker = await moved(replicaId, 0);
    await ended(broker.id, LIFE);
    await ended(broker.id, [
      { state: 'pending', atS: 90 },
      { state: 'claimed', atS: 89, epoch: 4, attempt: 1 },
      { state: 'succeeded', atS: 70, epoch: 4, attempt: 1 },
    ]);
    const unknown = await ended(broker.id, LIFE.with(3, { state: 'failed', atS: 35 }), {
      state: 'failed',
      error: { code: 'outcome_unknown', message: 'lost', retryable: false },
    });

    const report = await judgement.of(drained(replicaId));

    expect(report).toMatchObject({ clean: true, commands: 2, lost: 0, duplicated: 0, reordered: 0 });
    expect(report).toMatchObject({ unknown: 1, unknownIds: [unknown] });
  });

  it('is not clean where a command was sent twice, went out of turn, or is with nobody', async () => {
    const replicaId = randomUUID();
    const broker = await moved(replicaId, 0);
    await ended(broker.id, [
      ...LIFE.slice(0, 3),
      { state: 'succeeded', atS: 40, attempt: 1 },
      { state: 'succeeded', atS: 35, attempt: 1 },
    ]);
    await ended(broker.id, LIFE, { ordering_key: 'key' });
    const second = LIFE.map((step) => ({ ...step, atS: step.atS - 0.5 }));
    await ended(broker.id, second, { ordering_key: 'key' });
    const stranded = await rows.dispatch(broker, { state: 'running', created_at: ago(50), claim_epoch: 4 });

    const report = await judgement.of(drained(replicaId, { ageS: 46 }));

    expect(report).toMatchObject({ clean: false, reordered: 1 });
    const rules = report?.violations.map(({ rule }) => rule);
    expect(rules).toEqual(expect.arrayContaining(['one_ending', 'key_in_turn']));
    expect(report?.duplicated).toBeGreaterThanOrEqual(1);
    expect(report?.violations).toContainEqual(
      expect.objectContaining({ rule: 'settled', dispatchId: stranded }),
    );
    expect(report?.lost).toBeGreaterThanOrEqual(1);
  });
});

describe('a drain that is over', () => {
  const REPORT = { clean: true } as RolloutReport;

  const ABOUT = { replicaName: 'pod-1', software: 'fairlead/1', ageMs: 0, steps: [] };

  const begin = async (replicaId: string) => {
    const id = uuidv7();
    await rollouts.write({ ...ABOUT, id, replicaId, outcome: null });
    return id;
  };

  const end = (id: string, outcome: RolloutOutcome) =>
    rollouts.write({ ...ABOUT, id, replicaId: randomUUID(), outcome });

  it('is judged once, by whoever takes it first', async () => {
    const replicaId = await rows.replica();
    const id = await begin(replicaId);
    const before = await rollouts.takeDue();
    await end(id, 'moved');

    const taken = await Promise.all([rollouts.takeDue(), rollouts.takeDue()]);
    await rollouts.judge(id, REPORT);
    await rollouts.judge(id, { ...REPORT, clean: false });
    await rollouts.putOff(id);

    expect(before).toBeUndefined();
    expect(taken.filter((due) => due?.id === id)).toHaveLength(1);
    expect(await rollouts.find(id)).toMatchObject({ outcome: 'moved', report: { clean: true } });
    await rows.sql.query(`update rollout set judging_until = null`);
    expect(await rollouts.takeDue()).toBeUndefined();
  });

  it('is taken up by the next where its judge died over it, and put off where there is something to wait for', async () => {
    const id = await begin(await rows.replica());
    await end(id, 'moved');
    await rollouts.takeDue();
    const meanwhile = await rollouts.takeDue();
    await rows.sql.query(`update rollout set judging_until = now() - interval '1 second'`);

    const again = await rollouts.takeDue();
    await rollouts.putOff(id);

    expect(meanwhile).toBeUndefined();
    expect(again).toMatchObject({ id });
    const { left } = await rows.one(
      `select judging_until - clock_timestamp() < interval '2 seconds' as left from rollout`,
    );
    expect(left).toBe(true);
  });

  it('is over with its replica where that died on the way, and keeps its end', async () => {
    const [gone, living] = [await rows.replica({ state: 'gone' }), await rows.replica()];
    const id = await begin(gone);
    const other = await begin(living);

    const taken = [await rollouts.takeDue(), await rollouts.takeDue()];
    await end(other, 'deadline');
    await end(other, 'alone');

    expect(taken.map((due) => due?.id)).toEqual([id, undefined]);
    expect(await rollouts.find(other)).toMatchObject({ outcome: 'deadline' });
  });

  it('is on record by its next step where the one that began it could not be written, since when it began', async () => {
    const [id, replicaId] = [uuidv7(), await rows.replica()];
    const steps: RolloutStep[] = [{ step: 'released', ms: 8_000, brokers: 0, inFlight: 0 }];

    await rollouts.write({ ...ABOUT, id, replicaId, ageMs: 9_000, steps, outcome: 'moved' });

    const row = await rollouts.find(id);
    expect(row).toMatchObject({ replicaId, steps, outcome: 'moved' });
    expect(Number(row?.endedAt) - Number(row?.begunAt)).toBe(9_000);
  });

  it('keeps the id and the beginning under which it is on record first', async () => {
    const replicaId = await rows.replica();
    const id = await begin(replicaId);
    const before = await rollouts.find(id);

    await rollouts.write({ ...ABOUT, id, replicaId: randomUUID(), ageMs: 60_000, outcome: null });

    expect(await rollouts.find(id)).toEqual(before);
  });

  it('is given back where it cannot be judged, and judged by whoever can', async () => {
    const id = await begin(await rows.replica());
    await end(id, 'moved');
    let isAble = false;
    const able = {
      of: (_due: DueRollout) => (isAble ? Promise.resolve(REPORT) : Promise.reject(new Error('away'))),
    } as Judgement;
    const turns: LoopOptions['turn'][] = [];
    const loops = {
      make: (options: Omit<LoopOptions, 'onFault'>) => {
        turns.push(options.turn);
        return {} as Loop;
      },
    } as Loops;
    new Rollouts(rollouts, able, { mayAct: true, state: 'active' } as Replica, loops);
    const judge = () => turns[0]?.(new AbortController().signal);

    await expect(judge()).rejects.toThrow('away');
    const { left } = await rows.one(
      `select judging_until - clock_timestamp() < interval '2 seconds' as left from rollout`,
    );
    await rows.sql.query(`update rollout set judging_until = now() - interval '1 second'`);
    isAble = true;
    await judge();

    expect(left).toBe(true);
    expect(await rollouts.find(id)).toMatchObject({ report: REPORT });
  });

  it('is forgotten after 30 days', async () => {
    const [old, young] = [await begin(randomUUID()), await begin(randomUUID())];
    await rows.sql.query(`update rollout set begun_at = now() - interval '30 days 1 hour' where id = $1`, [
      old,
    ]);
    await rows.sql.query(`update rollout set begun_at = now() - interval '29 days' where id = $1`, [young]);

    await rollouts.forgetOld();

    expect((await rollouts.list(null, 10)).map(({ id }) => id)).toEqual([young]);
  });
});
