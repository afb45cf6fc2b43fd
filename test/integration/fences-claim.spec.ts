import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ClaimRepository } from '../../src/hub/dispatch/claim.repository.js';
import { LIMITS } from '../../src/protocol/limits.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker, Rows } from './support/rows.js';

let bench: Bench;
let rows: Rows;
let repository: ClaimRepository;
let broker: PlantedBroker;

beforeAll(async () => {
  bench = await openBench();
  rows = bench.rows;
  repository = new ClaimRepository(bench.database);
});

beforeEach(async () => {
  broker = await rows.broker();
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

/** Asked for in the same claim; one row of one broker, alone, is claimed by a statement of its own. */
let besides: { brokerId: string; epoch: number }[] = [];

/** What the broker's owner gets of these rows, or somebody else. */
async function claim(ids: string[], as: Partial<PlantedBroker> = {}) {
  const { id, replicaId, epoch } = { ...broker, ...as };
  const asked = ids.map((dispatchId) => ({ id: dispatchId, brokerId: id }));
  const answers = await repository.claim(replicaId, [{ brokerId: id, epoch }, ...besides], asked);
  const answer = answers.find(({ brokerId }) => brokerId === id);
  return { owned: answer?.owned, ids: (answer?.claimed ?? []).map((claimed) => claimed.id) };
}

const claimed = async (ids: string[]) => (await claim(ids)).ids;
const keyed = (over: object = {}) => rows.dispatch(broker, { ordering_key: 'k', ...over });
const inFuture = () => new Date(Date.now() + 60_000);

describe('a read ahead', () => {
  const textOf = (length: number) => ({ text: Array.from({ length }, () => randomUUID()).join('') });

  it('leaves large arguments in their rows, and those that are stored compressed, which may be of any size', async () => {
    const args = [{}, textOf(200), textOf(300), { text: 'x'.repeat(250_000) }];
    for (const each of args) await rows.dispatch(broker, { args: each });
    await rows.sql.query(`alter table broker_dispatch alter column args set storage external`);
    for (const each of args) await rows.dispatch(broker, { args: each });
    await rows.sql.query(`alter table broker_dispatch alter column args set storage extended`);

    const read = await repository.readAhead([{ brokerId: broker.id, afterSeq: 0, most: 10 }]);

    const [bare, small, large, squeezed, , , , whole] = read;
    expect(bare).toMatchObject({ args: {} });
    expect(small).toMatchObject({ args: args[1] });
    expect(small?.argsBytes).toBeGreaterThan(7_200);
    expect(large?.args).toBeNull();
    expect(large?.argsBytes).toBeGreaterThan(10_800);
    expect(squeezed).toMatchObject({ args: null, argsBytes: LIMITS.argsBytes });
    expect(whole?.args).toBeNull();
    expect(whole?.argsBytes).toBeGreaterThan(250_000);
    expect(whole?.argsBytes).toBeLessThan(251_000);
  });
});

describe.each([
  ['alone', []],
  ['with those of another broker', [{ brokerId: randomUUID(), epoch: 1 }]],
])('asked for %s,', (_how, others) => {
  beforeEach(() => {
    besides = others;
  });

  describe('a claim', () => {
    it('notes who took the row, under which epoch, for which journal, and counts the attempt', async () => {
      const id = await rows.dispatch(broker, { attempt: 3 });

      expect(await claim([id])).toEqual({ owned: true, ids: [id] });

      expect(await rows.read(id)).toMatchObject({
        state: 'claimed',
        attempt: 4,
        claimed_by: broker.replicaId,
        claim_epoch: String(broker.epoch),
        claim_journal: broker.journalId,
        trail: [{ state: 'claimed', replica: broker.replicaId, epoch: broker.epoch, attempt: 4 }],
      });
    });

    it('gets nothing for a replica that does not own the broker', async () => {
      const id = await rows.dispatch(broker);

      expect(await claim([id], { replicaId: randomUUID() })).toEqual({ owned: false, ids: [] });
      expect(await rows.state(id)).toBe('pending');
    });

    it.each([-1, 1])('gets nothing under an epoch that is off by %d', async (off) => {
      const id = await rows.dispatch(broker);

      expect(await claim([id], { epoch: broker.epoch + off })).toEqual({ owned: false, ids: [] });
      expect(await rows.state(id)).toBe('pending');
    });

    it('gets none of the rows of another broker', async () => {
      const id = await rows.dispatch(await rows.broker());

      expect(await claim([id])).toEqual({ owned: true, ids: [] });
      expect(await rows.state(id)).toBe('pending');
    });

    it.each(['claimed', 'running'])('does not take again what is %s', async (state) => {
      const id = await rows.dispatch(broker, { state });

      expect(await claimed([id])).toEqual([]);
      expect(await rows.read(id)).toMatchObject({ state, attempt: 1 });
    });

    it.each([
      ['that was meant for a link that is over', () => ({ link_epoch: broker.epoch - 1 })],
      ['whose deadline has passed', () => ({ deadline_at: new Date(Date.now() - 1_000) })],
      ['that rests after a failure', () => ({ attempt: 1, retry_at: inFuture() })],
      ['that its caller wants to be sent later', () => ({ not_before: inFuture() })],
      [
        'that its caller wants to be sent later, and whose rest is over',
        () => ({ not_before: inFuture(), retry_at: new Date(0) }),
      ],
    ])('does not take a row %s', async (_what, over) => {
      const id = await rows.dispatch(broker, over());

      expect(await claimed([id])).toEqual([]);
      expect(await rows.state(id)).toBe('pending');
    });

    it('gives a row once, however often it was asked for, and a second claim does not give it again', async () => {
      const id = await rows.dispatch(broker);

      const answers = await Promise.all([
        claimed([id, id, id]),
        claimed([id]),
        claimed([id, id]),
        claimed([id]),
      ]);

      expect(answers.flat()).toEqual([id]);
      expect(await rows.read(id)).toMatchObject({ state: 'claimed', attempt: 1 });
    });

    it('passes over a row that somebody is at, and waits for nothing', async () => {
      const [busy, free] = [await rows.dispatch(broker), await rows.dispatch(broker)];

      const taken = await rows.besides(
        'select from broker_dispatch where id = $1 for update',
        [busy],
        async () => [await claimed([busy]), await claimed([busy, free])],
      );

      expect(taken).toEqual([[], [free]]);
    });

    it('waits for a connect that has its turn', async () => {
      const id = await rows.dispatch(broker);

      const answer = await rows.meanwhile(
        'select pg_advisory_xact_lock(hashtextextended($1::text, 1))',
        [broker.id],
        () => claim([id]),
      );

      expect(answer).toEqual({ owned: true, ids: [id] });
    });

    it('under an epoch that moves at the same moment gets nothing', async () => {
      const id = await rows.dispatch(broker);

      const answer = await rows.meanwhile(
        'update broker_connection set epoch = epoch + 1 where broker_id = $1',
        [broker.id],
        () => claim([id]),
      );

      expect(answer).toEqual({ owned: false, ids: [] });
      expect(await rows.state(id)).toBe('pending');
    });
  });

  describe('an ordering key', () => {
    it('gives its earliest row alone, whatever order they are asked in', async () => {
      const [first, second] = [await keyed(), await keyed()];

      expect(await claimed([second, first])).toEqual([first]);
      expect(await claimed([second])).toEqual([]);
      expect(await rows.state(second)).toBe('pending');
    });

    it('gives nothing where its earliest row was not asked for', async () => {
      await keyed();
      const second = await keyed();

      expect(await claimed([second])).toEqual([]);
    });

    it('gives nothing while somebody is at its earliest row', async () => {
      const [first, second] = [await keyed(), await keyed()];

      const taken = await rows.besides('select from broker_dispatch where id = $1 for update', [first], () =>
        claimed([first, second]),
      );

      expect(taken).toEqual([]);
    });

    it.each(['claimed', 'running'])('is held by a row that is %s, before or after it', async (state) => {
      const before = await keyed();
      await keyed({ state });
      const after = await keyed();

      expect(await claimed([before, after])).toEqual([]);
    });

    it('is held by a row that rests after a failure', async () => {
      await keyed({ attempt: 1, retry_at: inFuture() });
      const second = await keyed();

      expect(await claimed([second])).toEqual([]);
    });

    it('is not held by a row that its caller wants to be sent later', async () => {
      await keyed({ not_before: inFuture() });
      const second = await keyed();

      expect(await claimed([second])).toEqual([second]);
    });

    it('is let go of with the ack by an op that says so, and not sooner', async () => {
      const first = await keyed({ op: 'agent.message', state: 'claimed' });
      const second = await keyed();
      expect(await claimed([second])).toEqual([]);

      await rows.sql.query(`update broker_dispatch set state = 'running' where id = $1`, [first]);

      expect(await claimed([second])).toEqual([second]);
    });

    it('belongs to one broker: another has one of the same name', async () => {
      const other = await rows.broker();
      await rows.dispatch(other, { ordering_key: 'k' });
      const id = await keyed();

      expect(await claimed([id])).toEqual([id]);
    });

    it('gives the latest where that is the contract of both, and the earliest where it is not', async () => {
      const contract = 'latest_only';
      const replaced = [await keyed({ contract }), await keyed({ contract })];
      const mixed = [await keyed({ ordering_key: 'm', contract }), await keyed({ ordering_key: 'm' })];

      expect(await claimed([replaced[0]!])).toEqual([]);
      expect(await claimed([replaced[0]!, ...mixed])).toEqual([mixed[0]]);
    });

    it('gives the earlier of two where a later one replaces only others of its contract', async () => {
      const first = await keyed();
      await keyed({ contract: 'latest_only' });
      const second = await keyed({ ordering_key: 'm', contract: 'latest_only' });
      await keyed({ ordering_key: 'm' });

      expect(await claimed([first])).toEqual([first]);
      expect(await claimed([second])).toEqual([second]);
    });
  });
});
