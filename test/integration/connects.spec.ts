import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import type { Replica } from '../../src/hub/cluster/replica.js';
import { ConnectRepository } from '../../src/hub/registry/connect.repository.js';
import { Connects } from '../../src/hub/registry/connects.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';

/** More than one statement takes. */
const FLEET = 150;

describe('brokers that come at once', () => {
  let bench: Bench;
  let replicaId: string;
  let connects: Connects;

  beforeAll(async () => {
    bench = await openBench();
    replicaId = await bench.rows.replica();
    connects = new Connects(new ConnectRepository(bench.database), { id: replicaId } as Replica);
  });

  afterAll(async () => {
    jest.restoreAllMocks();
    await bench.close();
    await expectNoLeaks();
  });

  const fleet = (count: number) => Promise.all(Array.from({ length: count }, () => bench.rows.broker()));
  const come = (brokerId: string, told: { window?: number; bootId?: string; lastEpoch?: number } = {}) =>
    connects.add({
      brokerId,
      connectionId: randomUUID(),
      hello: {
        t: 'hello',
        protocol: { min: 1, max: 1 },
        bootId: randomUUID(),
        journalId: randomUUID(),
        lastEpoch: 0,
        software: 'fairlead/1.2',
        capabilities: [],
        labels: { told: brokerId },
        window: 1,
        health: 'online',
        ...told,
      },
      transport: 'websocket',
      displaced: () => Promise.resolve(),
    });
  const held = async (ids: readonly string[]) => {
    const { rows } = await bench.rows.sql.query<{ id: string; replica: string; epoch: string; told: string }>(
      `select broker.id, held.replica_id as replica, held.epoch, broker.labels ->> 'told' as told
       from broker join broker_connection held on held.broker_id = broker.id
       where broker.id = any ($1::uuid[])`,
      [ids],
    );
    return new Map(rows.map(({ id, replica, epoch, told }) => [id, { replica, epoch: Number(epoch), told }]));
  };

  it('are each connected under an epoch of their own, with few transactions', async () => {
    const brokers = await fleet(FLEET);
    const transactions = jest.spyOn(bench.database, 'transaction');

    const connected = await Promise.all(brokers.map(({ id }, at) => come(id, { lastEpoch: at })));

    expect(transactions.mock.calls.length).toBeLessThanOrEqual(3);
    const rows = await held(brokers.map(({ id }) => id));
    for (const [at, { id, replicaId: former }] of brokers.entries()) {
      const epoch = Math.max(5, at) + 1;
      expect(connected[at]).toMatchObject({ epoch, revoked: false, former: { replicaId: former } });
      expect(rows.get(id)).toEqual({ replica: replicaId, epoch, told: id });
    }
  });

  it('keep the order of their own hellos, where one comes twice', async () => {
    const [broker] = await fleet(1);

    const [first, second] = await Promise.all([come(broker!.id), come(broker!.id)]);

    expect([first?.epoch, second?.epoch]).toEqual([6, 7]);
    expect(second?.former).toMatchObject({ replicaId });
  });

  it('are not kept waiting by one that waits for its turn', async () => {
    const brokers = await fleet(3);
    const [busy, ...others] = brokers.map(({ id }) => id);
    const claim = new pg.Client(bench.url);
    await claim.connect();
    await claim.query('begin');
    await claim.query('select pg_advisory_xact_lock_shared(hashtextextended($1::text, 1))', [busy]);

    const waiting = come(busy!);
    await Promise.all(others.map((id) => come(id)));
    expect((await held([busy!])).get(busy!)).toMatchObject({ epoch: 5 });
    await claim.query('commit');
    await claim.end();

    expect(await waiting).toMatchObject({ epoch: 6 });
  });

  it('are not refused, nor kept waiting for long, where the row of one is held', async () => {
    const [held, ...others] = (await fleet(3)).map(({ id }) => id);
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const holder = new pg.Client(bench.url);
    await holder.connect();
    await holder.query('begin');
    await holder.query('select from broker where id = $1 for update', [held]);

    const waiting = come(held!);
    const connected = await Promise.all(others.map((id) => come(id)));
    await holder.query('commit');
    await holder.end();

    expect(connected.map(({ epoch }) => epoch)).toEqual([6, 6]);
    expect(await waiting).toMatchObject({ epoch: 6 });
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
  });

  it('are not refused for what is refused of one', async () => {
    const brokers = await fleet(4);
    const [revoked, impossible, ...others] = brokers.map(({ id }) => id);
    await bench.rows.sql.query('update broker set revoked_at = now() where id = $1', [revoked]);

    const outcomes = await Promise.allSettled([
      come(revoked!),
      come(impossible!, { window: 2 ** 40 }),
      ...others.map((id) => come(id)),
    ]);

    expect(outcomes).toMatchObject([
      { value: { epoch: null, revoked: true } },
      { status: 'rejected', reason: { code: '22003' } },
      { value: { epoch: 6, revoked: false } },
      { value: { epoch: 6, revoked: false } },
    ]);
  });

  it('are flagged alone where copies displace them', async () => {
    const [copied, single] = (await fleet(2)).map(({ id }) => id);
    const key = { broker_id: copied, public_key: randomUUID() };
    await bench.rows.insert('broker_key', { id: randomUUID(), ...key });
    for (let copy = 0; copy < 2; copy += 1) await come(copied!);

    const [last, other] = await Promise.all([come(copied!), come(single!)]);

    expect([last?.flagged, other?.flagged]).toEqual([true, false]);
  });
});
