import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ProgressRepository } from '../../src/hub/dispatch/progress.repository.js';
import { SettleRepository, type Said, type Settlement } from '../../src/hub/dispatch/settle.repository.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker, Rows } from './support/rows.js';

let bench: Bench;
let rows: Rows;
let repository: SettleRepository;
let broker: PlantedBroker;

beforeAll(async () => {
  bench = await openBench();
  rows = bench.rows;
  repository = new SettleRepository(bench.database);
});

beforeEach(async () => {
  broker = await rows.broker();
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

const FAILURE = { code: 'no_room', message: 'There is no room.', retryable: true };

const ack = (id: string, attempt = 1, brokerId = broker.id) =>
  repository.ack([{ id, brokerId, attempt }], broker.replicaId);

/** One alone has a statement of its own, unless it may be put back: each fence is tried in both. */
const HOW = [
  ['alone', false],
  ['with others', true],
] as const;
/** Whether every settlement has one beside it that fits its row. */
let isBeside = false;

/** @returns the states that the row has come to; none where the word did not fit it */
async function settle(
  id: string,
  said: Said,
  over: Partial<Settlement> = {},
  beside?: Settlement[],
): Promise<string[]> {
  const error = said === 'fail' || said === 'retry' ? FAILURE : null;
  const settlement = { id, brokerId: broker.id, attempt: 1, said, result: null, error, ...over };
  const settled = await repository.settle([settlement, ...(beside ?? (await others()))], broker.replicaId);
  return settled.filter((row) => row.id === id).map(({ state }) => state);
}

async function others(): Promise<Settlement[]> {
  if (!isBeside) return [];
  const id = await rows.dispatch(broker, { state: 'running' });
  return [{ id, brokerId: broker.id, attempt: 1, said: 'succeed', result: null, error: null }];
}

describe('an ack', () => {
  it('makes a claimed row running', async () => {
    const id = await rows.dispatch(broker, { state: 'claimed' });

    await ack(id);

    expect(await rows.state(id)).toBe('running');
  });

  it.each([1, 3])('of attempt %d changes nothing at attempt 2', async (attempt) => {
    const id = await rows.dispatch(broker, { state: 'claimed', attempt: 2 });

    await ack(id, attempt);

    expect(await rows.state(id)).toBe('claimed');
  });

  it('of another broker changes nothing', async () => {
    const id = await rows.dispatch(broker, { state: 'claimed' });

    await ack(id, 1, (await rows.broker()).id);

    expect(await rows.state(id)).toBe('claimed');
  });

  it('changes nothing of a row that was put back', async () => {
    const id = await rows.dispatch(broker, { attempt: 1 });

    await ack(id);

    expect(await rows.read(id)).toMatchObject({ state: 'pending', trail: [] });
  });

  it('is not taken for the next attempt, which began while it waited for the row', async () => {
    const id = await rows.dispatch(broker, { state: 'claimed' });

    await rows.meanwhile('update broker_dispatch set attempt = 2 where id = $1', [id], () => ack(id));

    expect(await rows.read(id)).toMatchObject({ state: 'claimed', attempt: 2, trail: [] });
  });

  it('that comes again leaves no second step', async () => {
    const id = await rows.dispatch(broker, { state: 'claimed' });

    await ack(id);
    await ack(id);

    expect((await rows.read(id)).trail).toHaveLength(1);
  });
});

describe.each(HOW)('a result, settled %s,', (_how, hasOthers) => {
  beforeAll(() => {
    isBeside = hasOthers;
  });
  afterAll(() => {
    isBeside = false;
  });

  it('does not settle a row of another broker', async () => {
    const id = await rows.dispatch(broker, { state: 'running' });

    expect(await settle(id, 'succeed', { brokerId: (await rows.broker()).id })).toEqual([]);
    expect(await rows.state(id)).toBe('running');
  });

  it.each([1, 3])('of attempt %d does not settle attempt 2', async (attempt) => {
    const id = await rows.dispatch(broker, { state: 'running', attempt: 2 });

    expect(await settle(id, 'succeed', { attempt })).toEqual([]);
    expect(await rows.state(id)).toBe('running');
  });

  it('does not settle a row that was put back', async () => {
    const id = await rows.dispatch(broker, { attempt: 1 });

    expect(await settle(id, 'succeed')).toEqual([]);
    expect(await rows.state(id)).toBe('pending');
  });

  it('that comes again, or late, is settled once and overwrites nothing', async () => {
    const id = await rows.dispatch(broker, { state: 'running' });
    expect(await settle(id, 'succeed', { result: { first: true } })).toEqual(['succeeded']);

    expect(await settle(id, 'fail')).toEqual([]);

    expect(await rows.read(id)).toMatchObject({ state: 'succeeded', result: { first: true }, error: null });
  });

  it.each(['succeed', 'retry'] as const)(
    'to %s does not settle a row whose next attempt began while it waited for it',
    async (said) => {
      const id = await rows.dispatch(broker, { state: 'running' });

      const beside = await others();
      const ended = await rows.meanwhile('update broker_dispatch set attempt = 2 where id = $1', [id], () =>
        settle(id, said, {}, beside),
      );

      expect(ended).toEqual([]);
      expect(await rows.read(id)).toMatchObject({ state: 'running', attempt: 2, failures: 0 });
    },
  );

  it('that comes after the end is noted in the trail of its own broker alone', async () => {
    const id = await rows.dispatch(broker, { state: 'running' });
    await settle(id, 'succeed');
    const late = { id, brokerId: broker.id, attempt: 1, said: 'fail' } as const;

    await repository.noteLate([{ ...late, brokerId: (await rows.broker()).id }]);
    expect((await rows.read(id)).trail).toHaveLength(1);
    await repository.noteLate([late]);

    const { state, trail } = await rows.read(id);
    expect(state).toBe('succeeded');
    expect(trail[1]).toMatchObject({ state: 'late_result', attempt: 1, reason: 'failed' });
  });
});

describe('a failure that may pass', () => {
  it('puts the row back without a trace of its claim, counts it, and lets it rest', async () => {
    const id = await rows.dispatch(broker, { state: 'running' });

    expect(await settle(id, 'retry')).toEqual(['pending']);

    const { retry_at: retryAt, ...row } = await rows.read(id);
    expect(row).toMatchObject({ state: 'pending', attempt: 1, failures: 1 });
    expect([row.claimed_by, row.claim_epoch, row.claim_journal, row.claimed_at]).toEqual([
      null,
      null,
      null,
      null,
    ]);
    expect(retryAt).toBeInstanceOf(Date);
  });

  it('tells the contract of what is put back, and none of what ended', async () => {
    const [again, over] = [
      await rows.dispatch(broker, { state: 'running', contract: 'latest_only' }),
      await rows.dispatch(broker, { state: 'running', contract: 'latest_only' }),
    ];
    const word = { brokerId: broker.id, attempt: 1, result: null, error: FAILURE };

    const settled = await repository.settle(
      [
        { ...word, id: again, said: 'retry' },
        { ...word, id: over, said: 'fail' },
      ],
      broker.replicaId,
    );

    expect(new Map(settled.map(({ id, contract }) => [id, contract]))).toEqual(
      new Map([
        [again, 'latest_only'],
        [over, null],
      ]),
    );
  });

  it('ends the row when it has failed as often as it may, and not sooner', async () => {
    const [last, before] = [
      await rows.dispatch(broker, { state: 'running', failures: 4 }),
      await rows.dispatch(broker, { state: 'running', failures: 3 }),
    ];

    expect(await settle(last, 'retry')).toEqual(['dead']);
    expect(await settle(before, 'retry')).toEqual(['pending']);
    expect(await rows.read(last)).toMatchObject({ failures: 5, error: { code: 'no_room' } });
  });

  it.each<[string, object]>([
    ['that its caller gave up', { cancel_requested_at: new Date() }],
    ['that is bound to its link', { contract: 'now_or_fail' }],
    ['whose deadline has passed', { deadline_at: new Date(Date.now() - 1_000) }],
  ])('ends a row %s', async (_what, over) => {
    const id = await rows.dispatch(broker, { state: 'running', ...over });

    expect(await settle(id, 'retry')).toEqual(['failed']);
  });
});

describe.each(HOW)('the word that it was stopped, settled %s,', (_how, hasOthers) => {
  beforeAll(() => {
    isBeside = hasOthers;
  });
  afterAll(() => {
    isBeside = false;
  });

  const overdue = { deadline_at: new Date(Date.now() - 1_000) };

  it.each<[string, string, object]>([
    ['cancelled', 'where its caller gave it up', { cancel_requested_at: new Date() }],
    [
      'cancelled',
      'where its caller gave it up before its deadline',
      { cancel_requested_at: new Date(), ...overdue },
    ],
    ['cancelled', 'long before its deadline', {}],
    ['expired', 'where nobody but its deadline asked', overdue],
  ])('ends a row as %s %s', async (state, _where, over) => {
    const id = await rows.dispatch(broker, { state: 'running', ...over });

    expect(await settle(id, 'cancel')).toEqual([state]);
  });
});

describe('the progress of a command', () => {
  const progress = () => new ProgressRepository(bench.database);
  const word = (id: string) => ({
    ...{ id, brokerId: broker.id, attempt: 1, epoch: broker.epoch },
    ...{ fraction: 0.5, note: null },
  });

  it('is taken from its broker, for its attempt, on its link, while it is out, and from nobody else', async () => {
    const id = await rows.dispatch(broker, { state: 'running' });
    const waiting = await rows.dispatch(broker, { attempt: 1, claim_epoch: broker.epoch });
    const right = word(id);
    const wrong = [
      { brokerId: randomUUID() },
      { attempt: 2 },
      { epoch: broker.epoch - 1 },
      { id: waiting },
    ].map((over) => ({ ...right, ...over }));

    for (const each of wrong) expect(await progress().note([each])).toEqual([]);
    expect(await progress().note([right])).toMatchObject([{ id }]);
  });

  it('is not taken for that of the next attempt, which began while it waited for the row', async () => {
    const id = await rows.dispatch(broker, { state: 'running' });

    const noted = await rows.meanwhile('update broker_dispatch set attempt = 2 where id = $1', [id], () =>
      progress().note([word(id)]),
    );

    expect(noted).toEqual([]);
    expect((await rows.read(id)).progress).toBeNull();
  });
});
