import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InventoryRepository } from '../../src/hub/dispatch/inventory.repository.js';
import { QuietRepository } from '../../src/hub/dispatch/quiet.repository.js';
import type { InventoryEntry } from '../../src/protocol/frame.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker, Rows } from './support/rows.js';

let bench: Bench;
let rows: Rows;
let repository: InventoryRepository;
/** The broker under its newest link. */
let broker: PlantedBroker;
/** The same under the link before, which made the claims. */
let before: PlantedBroker;

beforeAll(async () => {
  bench = await openBench();
  rows = bench.rows;
  repository = new InventoryRepository(bench.database);
});

beforeEach(async () => {
  broker = await rows.broker();
  before = { ...broker, replicaId: randomUUID(), epoch: broker.epoch - 1 };
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

/** @returns the verdicts, or undefined where nothing was judged */
async function judge(entries: InventoryEntry[] = [], as: Partial<PlantedBroker> = {}) {
  const { id: brokerId, replicaId, epoch, journalId } = { ...broker, ...as };
  const adopted = await repository.reconcile({ brokerId, replicaId, epoch, journalId }, entries);
  return adopted?.map(({ verdict }) => verdict);
}

const sent = (over: object = {}) => rows.dispatch(before, { state: 'running', ...over });
const knows = (id: string, over: Partial<InventoryEntry> = {}): InventoryEntry[] => [
  { id, attempt: 1, status: 'running', ...over },
];
const START = { op: 'agent.start' };
const ELSEWHERE = { claim_journal: randomUUID() };

describe('of ids that a broker told', () => {
  it('those are over that have ended, were never known, or are those of another broker', async () => {
    const [live, waiting] = [await sent(), await rows.dispatch(broker)];
    const [ended, foreign, unknown] = [await sent(), await rows.dispatch(await rows.broker()), randomUUID()];
    await rows.sql.query('delete from broker_dispatch where id = $1', [ended]);

    const over = await repository.notLive(broker.id, [live, waiting, ended, foreign, unknown]);

    expect(over).toEqual(new Set([ended, foreign, unknown]));
  });
});

describe('an inventory', () => {
  it.each<[string, () => Partial<PlantedBroker>]>([
    ['a replica that does not own the broker', () => ({ replicaId: randomUUID() })],
    ['a link that is over', () => ({ epoch: broker.epoch - 1 })],
    ['a link that nobody knows', () => ({ epoch: broker.epoch + 1 })],
  ])('judges nothing for %s', async (_who, as) => {
    const id = await sent({ claim_epoch: 1 });

    expect(await judge([], as())).toBeUndefined();
    expect(await rows.state(id)).toBe('running');
  });

  it('judges nothing for a link that is displaced at the same moment', async () => {
    const id = await sent();

    const verdicts = await rows.meanwhile(
      'update broker_connection set epoch = epoch + 1 where broker_id = $1',
      [broker.id],
      () => judge(),
    );

    expect(verdicts).toBeUndefined();
    expect(await rows.state(id)).toBe('running');
  });

  it('does not adopt what the old link puts back at the same moment', async () => {
    const id = await sent();

    const verdicts = await rows.meanwhile(
      `update broker_dispatch
       set state = 'pending', failures = 1, claimed_by = null, claim_epoch = null, claim_journal = null, claimed_at = null
       where id = $1`,
      [id],
      () => judge(knows(id)),
    );

    expect(verdicts).toEqual([]);
    expect(await rows.read(id)).toMatchObject({ state: 'pending', claimed_by: null, trail: [] });
  });

  it('judges no rows of another broker', async () => {
    const other = await rows.broker();
    const id = await rows.dispatch({ ...other, epoch: 1, journalId: broker.journalId }, { state: 'running' });

    expect(await judge()).toEqual([]);
    expect(await rows.state(id)).toBe('running');
  });

  it('passes over what was claimed for the very link that it came on', async () => {
    const id = await rows.dispatch(broker, { state: 'claimed' });

    expect(await judge()).toEqual([]);
    expect(await rows.state(id)).toBe('claimed');
  });

  it.each<InventoryEntry['status']>(['running', 'ended'])(
    'that says %s gives the row to the new link',
    async (status) => {
      const id = await sent({ state: 'claimed' });

      expect(await judge(knows(id, { status }))).toEqual(['adopt']);
      expect(await rows.read(id)).toMatchObject({
        state: 'running',
        attempt: 1,
        claimed_by: broker.replicaId,
        claim_epoch: String(broker.epoch),
        claim_journal: broker.journalId,
      });
    },
  );

  it('that knows an earlier attempt alone has the row sent again, and does not take it for the latest', async () => {
    const id = await sent({ state: 'claimed', attempt: 2 });

    expect(await judge(knows(id))).toEqual(['resend']);
    expect(await rows.state(id)).toBe('claimed');
  });

  it('that knows an earlier attempt of what its journal held is no word on it', async () => {
    const id = await sent({ ...START, attempt: 2 });

    expect(await judge(knows(id))).toEqual(['fail']);
  });

  it('without a row that the same journal was sent puts it back, free of its claim and of blame', async () => {
    const id = await sent(START);

    expect(await judge()).toEqual(['requeue']);
    expect(await rows.read(id)).toMatchObject({
      state: 'pending',
      attempt: 1,
      failures: 0,
      claimed_by: null,
      claim_epoch: null,
      claim_journal: null,
      claimed_at: null,
    });
  });

  it.each<[string, object, InventoryEntry['status'] | undefined]>([
    ['another journal was sent', ELSEWHERE, undefined],
    ['was begun and lost', {}, 'lost'],
  ])('says of what %s that its outcome is unknown', async (_what, over, status) => {
    const id = await sent({ ...START, ...over });

    expect(await judge(status === undefined ? [] : knows(id, { status }))).toEqual(['fail']);
    expect(await rows.read(id)).toMatchObject({ state: 'failed', error: { code: 'outcome_unknown' } });
  });

  it('puts back what another journal was sent where its op may be repeated, and counts it as a failure', async () => {
    const id = await sent(ELSEWHERE);

    expect(await judge()).toEqual(['requeue']);
    expect(await rows.read(id)).toMatchObject({ state: 'pending', failures: 1, claimed_by: null });
  });

  it('ends what was lost as often as it may be', async () => {
    const id = await sent({ ...ELSEWHERE, failures: 4 });

    expect(await judge()).toEqual(['exhaust']);
    expect(await rows.read(id)).toMatchObject({ state: 'dead', failures: 5 });
  });

  it.each<[string, string, object]>([
    ['cancel', 'was given up and never begun', { cancel_requested_at: new Date() }],
    ['lapse', 'was bound to its link and never begun', { contract: 'on_attach' }],
    ['fail', 'was given up and lost', { ...ELSEWHERE, cancel_requested_at: new Date() }],
    ['fail', 'was bound to its link and lost', { ...ELSEWHERE, contract: 'now_or_fail' }],
  ])('ends by the verdict %s what %s', async (verdict, _what, over) => {
    const id = await sent(over);

    expect(await judge()).toEqual([verdict]);
    expect(['cancelled', 'failed']).toContain(await rows.state(id));
  });

  const OVERDUE = { deadline_at: new Date(Date.now() - 10_000) };
  it.each<[string, string, string, object]>([
    ['was never begun', 'none', 'before it was begun', {}],
    ['was never begun in this attempt, and failed before', 'unknown', 'done again', { failures: 1 }],
    ['was lost with its journal', 'unknown', 'done again', ELSEWHERE],
  ])(
    'puts nothing back whose deadline has passed: what %s ends, effect %s',
    async (_what, effect, how, over) => {
      const id = await sent({ ...over, ...OVERDUE });

      expect(await judge()).toEqual(['expire']);
      const { state, error, trail } = await rows.read(id);
      expect([state, error]).toEqual([
        'expired',
        {
          code: 'deadline_passed',
          retryable: false,
          message: expect.stringContaining(how),
          data: { effect },
        },
      ]);
      expect(trail.at(-1)).toMatchObject({ state: 'expired', reason: 'deadline_passed' });
    },
  );
});

describe('of brokers whose links begin together', () => {
  const quiet = () => new QuietRepository(bench.database);
  const markAll = (brokers: PlantedBroker[], replicaId = broker.replicaId) =>
    quiet().markReady(
      replicaId,
      brokers.map(({ id: brokerId, epoch }) => ({ brokerId, epoch })),
    );
  const mark = (as: Partial<PlantedBroker> = {}) =>
    markAll([{ ...broker, ...as }], as.replicaId ?? broker.replicaId);
  const readyEpoch = async ({ id }: PlantedBroker = broker) =>
    (await rows.one('select ready_epoch from broker_dispatch_floor where broker_id = $1', [id]))?.ready_epoch;
  const plant = (seq: number, readyEpoch: number | null) =>
    rows.insert('broker_dispatch_floor', { broker_id: broker.id, seq, ready_epoch: readyEpoch });
  /** Another broker of the same replica. */
  const neighbour = async () => {
    const other = await rows.broker();
    await rows.sql.query('update broker_connection set replica_id = $2 where broker_id = $1', [
      other.id,
      broker.replicaId,
    ]);
    return { ...other, replicaId: broker.replicaId };
  };
  const seqOf = async (id: string) => Number((await rows.read(id)).seq);

  it('all that are quiet are noted as ready by one call, each with its floor', async () => {
    const others = [];
    for (let n = 0; n < 40; n += 1) others.push(await neighbour());
    await plant(20, 4);

    const found = await markAll([...others, broker]);

    expect(new Map(found.map(({ brokerId, floor }) => [brokerId, floor]))).toEqual(
      new Map([...others.map(({ id }): [string, number] => [id, 0]), [broker.id, 20]]),
    );
    for (const one of [...others, broker]) expect(await readyEpoch(one)).toBe('5');
  });

  it.each<[string, Record<string, unknown>]>([
    ['is out by the word of an earlier link', { state: 'claimed', claim_epoch: 4 }],
    ['runs since an earlier link', { state: 'running', claim_epoch: 4 }],
    ['waits for the next link', { contract: 'on_attach' }],
    ['waits for a link that is over', { contract: 'on_attach', link_epoch: 4 }],
    ['goes out on one link or fails', { contract: 'now_or_fail', link_epoch: 4 }],
  ])('one of which a command %s is passed over, and nothing is changed for it', async (_what, over) => {
    const [id, other] = [await rows.dispatch(broker, over), await neighbour()];
    await rows.dispatch(broker);
    const before = await rows.read(id);

    expect(await markAll([broker, other])).toEqual([{ brokerId: other.id, epoch: 5, floor: 0 }]);
    expect(await readyEpoch()).toBeUndefined();
    expect(await rows.read(id)).toEqual(before);
  });

  it.each<[string, () => Partial<PlantedBroker>]>([
    ['of a replica that does not own the broker', () => ({ replicaId: randomUUID() })],
    ['that is over', () => ({ epoch: broker.epoch - 1 })],
    ['that nobody knows', () => ({ epoch: broker.epoch + 1 })],
  ])('a link %s is passed over, and nothing is changed for it', async (_which, as) => {
    await plant(20, 3);

    expect(await mark(as())).toEqual([]);
    expect(await readyEpoch()).toBe('3');
  });

  it.each<[string, Record<string, unknown>]>([
    ['waits, whatever link comes', {}],
    ['only the latest counts of', { contract: 'latest_only', ordering_key: 'k' }],
    ['this very link was sent', { state: 'claimed' }],
  ])('one of which a command %s is quiet', async (_what, over) => {
    await rows.dispatch(broker, over);

    expect(await mark()).toEqual([{ brokerId: broker.id, epoch: 5, floor: 0 }]);
  });

  it('what other brokers have out does not count', async () => {
    const other = await neighbour();
    await rows.dispatch(other, { state: 'running', claim_epoch: 4 });

    expect(await markAll([other, broker])).toEqual([{ brokerId: broker.id, epoch: 5, floor: 0 }]);
  });

  it('what is below the floor is not looked at', async () => {
    await plant((await seqOf(await rows.dispatch(broker, { state: 'running', claim_epoch: 4 }))) + 1, null);

    expect(await mark()).toHaveLength(1);
  });

  it('one with a row out at its very floor is passed over', async () => {
    await plant(await seqOf(await rows.dispatch(broker, { state: 'running', claim_epoch: 4 })), null);

    expect(await mark()).toEqual([]);
  });

  it('one for which much waits is not walked, and judged alone', async () => {
    for (let n = 0; n < 31; n += 1) await rows.dispatch(broker);
    expect(await mark()).toHaveLength(1);
    await rows.dispatch(broker);
    await rows.dispatch(broker, { state: 'running', claim_epoch: 4 });

    expect(await mark()).toEqual([]);
  });

  it('a newer link stays the one that is ready', async () => {
    await plant(0, 7);

    expect(await mark()).toEqual([{ brokerId: broker.id, epoch: 7, floor: 0 }]);
    expect(await readyEpoch()).toBe('7');
  });

  it('none waits for a connection that somebody is at', async () => {
    const found = await rows.besides(
      'select from broker_connection where broker_id = $1 for update',
      [broker.id],
      () => mark(),
    );

    expect(found).toHaveLength(1);
  });
});
