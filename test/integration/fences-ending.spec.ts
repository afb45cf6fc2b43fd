import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EndingRepository } from '../../src/hub/dispatch/ending.repository.js';
import { FloorRepository } from '../../src/hub/dispatch/floor.repository.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker, Rows } from './support/rows.js';

let bench: Bench;
let rows: Rows;
let repository: EndingRepository;
let broker: PlantedBroker;

beforeAll(async () => {
  bench = await openBench();
  rows = bench.rows;
  repository = new EndingRepository(bench.database);
});

beforeEach(async () => {
  broker = await rows.broker();
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

const ago = (seconds: number) => new Date(Date.now() - seconds * 1_000);
const idsOf = (endings: { id: string }[]) => endings.map(({ id }) => id);

describe('a deadline', () => {
  const expire = async (most = 100) => idsOf(await repository.expireOverdue(broker.replicaId, 3_600, most));

  afterEach(() => rows.sql.query('delete from broker_dispatch'));

  it('ends what waits as soon as it has passed, and not before', async () => {
    const [late] = [await rows.dispatch(broker, { deadline_at: ago(1) }), await rows.dispatch(broker)];

    expect(await expire()).toEqual([late]);
    expect(await rows.read(late)).toMatchObject({ state: 'expired', error: { data: { effect: 'none' } } });
  });

  it.each(['claimed', 'running'])(
    'gives the broker 30 s for its word on what is %s, and pretends nothing then',
    async (state) => {
      const [late] = [
        await rows.dispatch(broker, { state, deadline_at: ago(35) }),
        await rows.dispatch(broker, { state, deadline_at: ago(25) }),
      ];

      expect(await expire()).toEqual([late]);
      expect(await rows.read(late)).toMatchObject({
        state: 'expired',
        error: { data: { effect: 'unknown' } },
      });
    },
  );

  it.each<[string, Record<string, unknown>]>([
    ['that waits', { deadline_at: ago(1) }],
    ['that was sent', { state: 'running', deadline_at: ago(35) }],
  ])('leaves a row alone %s and that somebody is at', async (_which, over) => {
    const id = await rows.dispatch(broker, over);

    expect(
      await rows.besides('select from broker_dispatch where id = $1 for update', [id], () => expire()),
    ).toEqual([]);
    expect(await expire()).toEqual([id]);
  });

  it('of what was sent has room of its own, however much waits past its deadline', async () => {
    const [waiting, , sent] = [
      await rows.dispatch(broker, { deadline_at: ago(45) }),
      await rows.dispatch(broker, { deadline_at: ago(40) }),
      await rows.dispatch(broker, { state: 'running', deadline_at: ago(35) }),
    ];

    expect((await expire(1)).sort()).toEqual([waiting, sent].sort());
  });
});

describe('a wish to cancel', () => {
  const cancel = (id: string) => repository.cancel(id, broker.replicaId);

  it('ends what waits', async () => {
    const id = await rows.dispatch(broker);

    expect(await cancel(id)).toMatchObject({ hasEnded: true, owner: broker.replicaId });
    expect(await rows.state(id)).toBe('cancelled');
  });

  it.each(['claimed', 'running'])('marks what is %s, and leaves its end to the broker', async (state) => {
    const id = await rows.dispatch(broker, { state });

    expect(await cancel(id)).toMatchObject({ hasEnded: false, owner: broker.replicaId });
    const row = await rows.read(id);
    expect(row.state).toBe(state);
    expect(row.cancel_requested_at).toBeInstanceOf(Date);
  });

  it('that comes again keeps the time of the first', async () => {
    const id = await rows.dispatch(broker, { state: 'running', cancel_requested_at: ago(60) });
    const before = await rows.read(id);

    await cancel(id);

    expect(await rows.read(id)).toEqual(before);
  });

  it('does not end what is claimed at the same moment', async () => {
    const id = await rows.dispatch(broker);

    const found = await rows.meanwhile(
      `update broker_dispatch
       set state = 'claimed', attempt = 1, claimed_by = $2, claim_epoch = 5, claim_journal = $2 where id = $1`,
      [id, broker.replicaId],
      () => cancel(id),
    );

    expect(found).toMatchObject({ hasEnded: false });
    expect(await rows.state(id)).toBe('claimed');
  });

  it('finds nothing in a row that has ended', async () => {
    const id = await rows.dispatch(broker);
    await cancel(id);

    expect(await cancel(id)).toBeUndefined();
  });
});

describe('a later command of its key', () => {
  const latest = (over: object = {}) =>
    rows.dispatch(broker, { ordering_key: 'k', contract: 'latest_only', ...over });
  const supersede = async () =>
    idsOf(await repository.supersede([{ brokerId: broker.id, orderingKey: 'k' }], broker.replicaId));

  it('ends those before it, and never itself', async () => {
    const [first, second, third] = [await latest(), await latest(), await latest()];

    expect((await supersede()).sort()).toEqual([first, second].sort());
    expect(await rows.read(first)).toMatchObject({ state: 'cancelled', error: { code: 'superseded' } });
    expect(await rows.state(third)).toBe('pending');
  });

  it.each(['claimed', 'running'])('does not end what is %s', async (state) => {
    const out = await latest({ state });
    await latest();

    expect(await supersede()).toEqual([]);
    expect(await rows.state(out)).toBe(state);
  });

  it.each([
    ['that has another contract', { contract: 'until' }, {}],
    ['where it has another contract itself', {}, { contract: 'until' }],
    ['of another key', { ordering_key: 'other' }, {}],
    ['where it is of another key itself', {}, { ordering_key: 'other' }],
  ])('does not end one %s', async (_what, earlier, later) => {
    const id = await latest(earlier);
    await latest(later);

    expect(await supersede()).toEqual([]);
    expect(await rows.state(id)).toBe('pending');
  });

  it('of another broker ends nothing', async () => {
    const over = { ordering_key: 'k', contract: 'latest_only' };
    const other = await rows.broker();
    await latest();
    const theirs = [await rows.dispatch(other, over), await rows.dispatch(other, over)];

    expect(await supersede()).toEqual([]);
    expect(await rows.state(theirs[0]!)).toBe('pending');
  });

  it('ends nothing below the floor of its broker, where nothing is alive', async () => {
    const [below, above] = [await latest(), await latest()];
    await latest();
    const { seq } = await rows.read(above);
    await rows.insert('broker_dispatch_floor', { broker_id: broker.id, seq });

    expect(await supersede()).toEqual([above]);
    expect(await rows.state(below)).toBe('pending');
  });

  it('leaves a row alone that somebody is at', async () => {
    const id = await latest();
    await latest();

    expect(
      await rows.besides('select from broker_dispatch where id = $1 for update', [id], supersede),
    ).toEqual([]);
  });
});

describe('the end of a link', () => {
  const bound = (over: object = {}) =>
    rows.dispatch(broker, { contract: 'now_or_fail', link_epoch: broker.epoch, ...over });
  const lapseOf = async (...links: { id: string; epoch: number }[]) =>
    idsOf(
      await repository.lapse(
        links.map(({ id, epoch }) => ({ brokerId: id, epoch })),
        broker.replicaId,
      ),
    );
  const lapse = () => lapseOf(broker);

  it('ends what waited for it, or for one before', async () => {
    const ids = [await bound(), await bound({ link_epoch: 1, contract: 'on_attach' })];

    expect((await lapse()).sort()).toEqual(ids.sort());
    expect(await rows.read(ids[0]!)).toMatchObject({ state: 'failed', error: { code: 'broker_offline' } });
  });

  it.each<[string, object]>([
    ['is bound to a later link', { link_epoch: 6 }],
    ['waits for the next link', { contract: 'on_attach', link_epoch: null }],
    ['waits until its deadline', { contract: 'until', link_epoch: null }],
    ['is with the broker', { state: 'claimed' }],
  ])('does not end what %s', async (_what, over) => {
    const id = await bound(over);

    expect(await lapse()).toEqual([]);
    expect(await rows.state(id)).toBe((over as { state?: string }).state ?? 'pending');
  });

  it('that comes with others ends what waited for each, and for no later one', async () => {
    const other = await rows.broker();
    const over = { contract: 'now_or_fail', link_epoch: 7 };
    const [mine, theirs] = [await bound(), await rows.dispatch(other, over)];
    await bound({ link_epoch: 7 });

    const ended = await lapseOf({ ...broker, epoch: 4 }, broker, { ...other, epoch: 7 });

    expect(ended.sort()).toEqual([mine, theirs].sort());
  });

  it('leaves a row alone that somebody is at', async () => {
    const id = await bound();

    expect(await rows.besides('select from broker_dispatch where id = $1 for update', [id], lapse)).toEqual(
      [],
    );
  });

  it('ends nothing of another broker', async () => {
    const other = await rows.broker();
    const id = await rows.dispatch(other, { contract: 'now_or_fail', link_epoch: 1 });

    expect(await lapse()).toEqual([]);
    expect(await rows.state(id)).toBe('pending');
  });
});

describe('a link that is over', () => {
  const bound = (over: object = {}) =>
    rows.dispatch(broker, { contract: 'now_or_fail', link_epoch: broker.epoch - 1, ...over });

  beforeEach(() => rows.sql.query('delete from broker_dispatch'));

  it.each([
    ['all', () => null],
    ['those that are named', (ids: string[]) => ids],
  ])('ends of %s what is bound to it and waits', async (_which, named) => {
    const gone = await rows.broker();
    await rows.sql.query('update broker_connection set replica_id = null where broker_id = $1', [gone.id]);
    const lapsing = [
      await bound(),
      await bound({ contract: 'on_attach' }),
      await rows.dispatch(gone, { contract: 'now_or_fail', link_epoch: gone.epoch }),
    ];
    const busy = await bound();
    const staying = [
      await bound({ link_epoch: broker.epoch }),
      await bound({ state: 'claimed' }),
      await rows.dispatch(broker),
    ];
    const asked = named([...lapsing, busy, ...staying]);

    const ended = await rows.besides('select from broker_dispatch where id = $1 for update', [busy], () =>
      repository.lapseStale(asked, broker.replicaId),
    );

    expect(idsOf(ended).sort()).toEqual(lapsing.sort());
  });

  it('ends nothing that was not named, where some are', async () => {
    const [id, other] = [await bound(), await bound()];

    expect(idsOf(await repository.lapseStale([id], broker.replicaId))).toEqual([id]);
    expect(await rows.state(other)).toBe('pending');
  });
});

describe('a new link', () => {
  it('takes what waited for it, of its own broker, and nothing else', async () => {
    const over = { contract: 'on_attach' };
    const ids = [
      await rows.dispatch(broker, over),
      await rows.dispatch(broker, { ...over, link_epoch: 3 }),
      await rows.dispatch(broker),
      await rows.dispatch(await rows.broker(), over),
    ];

    await repository.bindToLink(broker.id, 6);

    const epochs = [];
    for (const id of ids) epochs.push((await rows.read(id)).link_epoch);
    expect(epochs).toEqual(['6', '3', null, null]);
  });
});

describe('a floor', () => {
  const floors = () => new FloorRepository(bench.database);
  const store = (floor: number, as: Partial<PlantedBroker> = {}) => {
    const { id: brokerId, replicaId, epoch } = { ...broker, ...as };
    return floors().store(replicaId, [{ brokerId, epoch, floor }]);
  };

  it('rises by the word of the owner, and never sinks', async () => {
    await store(20);
    await store(10);

    expect(await floors().read(broker.id)).toBe(20);
  });

  it.each<[string, () => Partial<PlantedBroker>]>([
    ['a replica that does not own the broker', () => ({ replicaId: randomUUID() })],
    ['an epoch that is over', () => ({ epoch: broker.epoch - 1 })],
  ])('is not moved by %s', async (_who, as) => {
    await store(20, as());

    expect(await floors().read(broker.id)).toBe(0);
  });
});
