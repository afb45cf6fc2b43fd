import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AgentRepository } from '../../src/hub/agents/agent.repository.js';
import { ANY_BROKER, BrokerRepository, type BrokerFilter } from '../../src/hub/registry/broker.repository.js';
import { OperationRepository } from '../../src/hub/registry/operation.repository.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker, Rows } from './support/rows.js';

let bench: Bench;
let rows: Rows;
let operations: OperationRepository;
let broker: PlantedBroker;

beforeAll(async () => {
  bench = await openBench();
  rows = bench.rows;
  operations = new OperationRepository(bench.database);
});

beforeEach(async () => {
  broker = await rows.broker();
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

const row = (id = broker.id) => rows.one('select * from broker where id = $1', [id]);
const set = (columns: string, id = broker.id) =>
  rows.sql.query(`update broker set ${columns} where id = $1`, [id]);
const LONG_AGO = `now() - interval '1 hour'`;

describe('a broker', () => {
  it.each([
    ['cordoned', () => operations.cordon(broker.id), 'cordoned_at'],
    ['drained', () => operations.drain(broker.id), 'draining_at'],
  ] as const)('is %s once, and not where it was revoked', async (_what, act, column) => {
    expect(await act()).toBe(true);
    const first = await row();
    expect(await act()).toBe(false);

    expect(await row()).toEqual(first);
    expect(first).toMatchObject({ revision: 2, [column]: expect.any(Date), drained_at: null });
    broker = await rows.broker({ revoked_at: new Date() });
    expect(await act()).toBe(false);
    expect(await row()).toMatchObject({ revision: 1, [column]: null });
  });

  it('that is drained was cordoned as long ago as it was', async () => {
    await set(`cordoned_at = ${LONG_AGO}`);
    const { cordoned_at: since } = await row();

    await operations.drain(broker.id);

    expect(await row()).toMatchObject({ cordoned_at: since });
  });

  it('is put back into service from wherever it is, and not changed where it is there', async () => {
    await operations.drain(broker.id);
    await operations.drained([{ brokerId: broker.id, revision: 2 }]);

    const changed = [await operations.uncordon(broker.id), await operations.uncordon(broker.id)];

    expect(changed).toEqual([true, false]);
    expect(await row()).toMatchObject({
      revision: 3,
      cordoned_at: null,
      draining_at: null,
      drained_at: null,
    });
  });

  it('is noted as drained once, and only where it drains still as when it was looked at', async () => {
    const noted = (revision: number) => operations.drained([{ brokerId: broker.id, revision }]);

    expect(await noted(1)).toEqual([]);
    await operations.drain(broker.id);
    expect(await noted(1)).toEqual([]);
    expect(await noted(2)).toEqual([broker.id]);
    expect(await noted(2)).toEqual([]);
  });

  it('is held until the end of what is placed there, and not where it was revoked', async () => {
    const hold = () => bench.database.transaction((run) => operations.hold(run, broker.id));

    const held = await rows.meanwhile(
      `update broker set cordoned_at = now(), draining_at = now() where id = $1`,
      [broker.id],
      hold,
    );

    expect(held).toEqual({ cordonedAt: expect.any(Date), drainingAt: expect.any(Date) });
    await set('revoked_at = now()');
    expect(await hold()).toBeUndefined();
  });

  it('is changed as it was read, in what is named alone', async () => {
    await set(
      `labels = '{"zone": "eu", "own": "1", "rack": "a"}', given_labels = '{"zone": "eu", "rack": "a"}'`,
    );
    const change = { name: `renamed-${broker.epoch}`, labels: { zone: 'us', rack: null } };

    const changed = [
      await operations.update(broker.id, 2, change),
      await operations.update(broker.id, 1, change),
    ];

    expect(changed).toEqual([false, true]);
    expect(await row()).toMatchObject({
      name: change.name,
      labels: { zone: 'us', own: '1' },
      given_labels: { zone: 'us' },
      revision: 2,
    });
    expect(await operations.update(broker.id, null, {})).toBe(true);
    expect(await row()).toMatchObject({ name: change.name, labels: { zone: 'us', own: '1' }, revision: 3 });
  });

  it('has a name that no other has', async () => {
    const { name } = await row((await rows.broker()).id);

    await expect(operations.update(broker.id, null, { name })).rejects.toMatchObject({
      code: 'broker_name_taken',
    });
  });

  it('has 64 labels at most, those that it says itself among them', async () => {
    const own = Object.fromEntries(Array.from({ length: 64 }, (_, place) => [`own-${place}`, '']));
    await rows.sql.query('update broker set labels = $2 where id = $1', [broker.id, own]);

    expect(await operations.update(broker.id, null, { labels: { one: 'more' } })).toBe(false);
    expect(await operations.update(broker.id, null, { labels: { 'own-1': 'other' } })).toBe(true);
    expect(await operations.update(broker.id, null, { labels: { one: 'more', 'own-2': null } })).toBe(true);
  });

  it('that has more labels, of its own and given ones together, is renamed, and given others for them, but no more', async () => {
    const many = Object.fromEntries(Array.from({ length: 80 }, (_, place) => [`own-${place}`, '']));
    await rows.sql.query('update broker set labels = $2 where id = $1', [broker.id, many]);
    const change = (labels: Record<string, string | null>) => operations.update(broker.id, null, { labels });

    expect(await operations.update(broker.id, null, { name: `many-${broker.epoch}` })).toBe(true);
    expect(await change({ 'own-1': 'other' })).toBe(true);
    expect(await change({ one: 'more', 'own-2': null })).toBe(true);
    expect(await change({ 'own-3': null })).toBe(true);
    expect(await change({ two: 'more' })).toBe(false);
    expect(Object.keys((await row()).labels)).toHaveLength(79);
  });

  it('is revoked once', async () => {
    const revoke = () => bench.database.transaction((run) => operations.revoke(run, broker.id));

    expect([await revoke(), await revoke()]).toEqual([true, false]);
    expect(await row()).toMatchObject({ revision: 2 });
  });

  describe('that drains', () => {
    const agent = (phase: string, wanted: string, ageS = 0) => {
      const id = randomUUID();
      return rows.sql
        .query(
          `insert into agent (id, name, broker_id, runtime, spec, wanted, phase, updated_at)
           values ($1, $1::uuid::text, $2, 'process', '{}', $3, $4, now() - make_interval(secs => $5))`,
          [id, broker.id, wanted, phase, ageS],
        )
        .then(() => id);
    };
    const seen = async () =>
      (await new AgentRepository(bench.database).onDraining()).find(({ brokerId }) => brokerId === broker.id);

    it('tells which of its agents are to stop now, and how many live', async () => {
      const due = [await agent('starting', 'running'), await agent('running', 'running')];
      due.push(await agent('running', 'stopped', 40));
      await agent('running', 'stopped', 20);
      for (const [phase, wanted] of Object.entries({ stopping: 'stopped', deleting: 'deleted' }))
        await agent(phase, wanted);
      for (const phase of ['created', 'stopped', 'failed', 'deleted']) await agent(phase, 'stopped');
      expect(await seen()).toBeUndefined();

      await operations.drain(broker.id);

      expect(await seen()).toEqual({ brokerId: broker.id, revision: 2, live: 6, due: due.sort() });
    });

    it('is looked at until it is drained, and not where it is revoked', async () => {
      await operations.drain(broker.id);
      expect(await seen()).toMatchObject({ live: 0, due: [] });

      await set('revoked_at = now()');
      expect(await seen()).toBeUndefined();
      await set('revoked_at = null, drained_at = now()');
      expect(await seen()).toBeUndefined();
    });
  });

  describe('in a list', () => {
    let replicaId: string;
    let drained: PlantedBroker;

    const listed = async (filter: Partial<BrokerFilter>) => {
      const found = await new BrokerRepository(bench.database).list(
        null,
        { ...ANY_BROKER, ...filter },
        500,
        null,
      );
      return found.flatMap(({ id }) => (id === broker.id ? ['one'] : id === drained.id ? ['drained'] : []));
    };

    beforeEach(async () => {
      replicaId = await rows.replica();
      drained = await rows.broker({
        labels: { zone: 'eu', rack: 'a' },
        version_major: 1,
        version_minor: 10,
        cordoned_at: new Date(),
        draining_at: new Date(),
        drained_at: new Date(),
      });
      await rows.sql.query(
        `update broker_connection set replica_id = case when broker_id = $1 then $2::uuid end where broker_id = any ($3)`,
        [drained.id, replicaId, [broker.id, drained.id]],
      );
      await rows.insert('broker_presence', { broker_id: drained.id, state: 'degraded' });
    });

    it.each<[string, () => Partial<BrokerFilter>, string[]]>([
      ['anything', () => ({}), ['drained', 'one']],
      ['labels', () => ({ labels: { zone: 'eu', rack: 'a' } }), ['drained']],
      ['labels of which it has one', () => ({ labels: { zone: 'eu', rack: 'b' } }), []],
      ['its presence', () => ({ presence: 'degraded' }), ['drained']],
      ['another presence', () => ({ presence: 'online' }), []],
      ['its version', () => ({ version: { major: 1, minor: 10 } }), ['drained']],
      ['another version', () => ({ version: { major: 1, minor: 1 } }), []],
      ['its owner', () => ({ owner: replicaId }), ['drained']],
      ['the name of its owner', () => ({ owner: 'planted' }), ['drained']],
      ['another owner', () => ({ owner: randomUUID() }), []],
      ['no owner', () => ({ owner: 'none' }), ['one']],
      ['its service', () => ({ service: 'drained' }), ['drained']],
      ['service', () => ({ service: 'open' }), ['one']],
      ['another service', () => ({ service: 'draining' }), []],
    ])('is found by %s', async (_what, filter, found) => {
      expect(await listed(filter())).toEqual(found);
    });
  });
});
