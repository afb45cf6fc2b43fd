import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AgentRepository } from '../../src/hub/agents/agent.repository.js';
import { UpkeepRepository } from '../../src/hub/agents/upkeep.repository.js';
import { AuditChainRepository } from '../../src/hub/auth/audit-chain.repository.js';
import { BrokerKeyRepository } from '../../src/hub/auth/broker-key.repository.js';
import { DeviceGrantRepository } from '../../src/hub/auth/device-grant.repository.js';
import { RateBucketRepository } from '../../src/hub/auth/limits/rate-bucket.repository.js';
import { SessionRepository } from '../../src/hub/auth/session.repository.js';
import { SpentAssertionRepository } from '../../src/hub/auth/spent-assertion.repository.js';
import { PeerNonceRepository } from '../../src/hub/cluster/peers/nonce.repository.js';
import { CopyRepository } from '../../src/hub/copying/copy.repository.js';
import { PartitionRepository } from '../../src/hub/dispatch/partition.repository.js';
import { RolloutRepository } from '../../src/hub/drain/rollout.repository.js';
import { ConnectRepository } from '../../src/hub/registry/connect.repository.js';
import { ConnectionRepository } from '../../src/hub/registry/connection.repository.js';
import type { Hello } from '../../src/protocol/frame.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker, Rows } from './support/rows.js';

let bench: Bench;
let rows: Rows;
let broker: PlantedBroker;

beforeAll(async () => {
  bench = await openBench();
  rows = bench.rows;
});

beforeEach(async () => {
  broker = await rows.broker();
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);
const inAnHour = () => new Date(Date.now() + 3_600_000);

async function user(): Promise<string> {
  const id = randomUUID();
  await rows.insert('hub_user', { id, name: `u-${id}`, role: 'member' });
  return id;
}

async function agent(over: object = {}): Promise<{ id: string; runId: string }> {
  const [id, runId] = [randomUUID(), randomUUID()];
  await rows.insert('agent', {
    ...{ id, name: `a-${id}`, broker_id: broker.id, run_id: runId },
    ...{ runtime: 'process', spec: {}, wanted: 'running', phase: 'running' },
    ...over,
  });
  return { id, runId };
}

async function deviceGrant(over: object = {}): Promise<Buffer> {
  const codes = { device_hash: randomBytes(32), user_hash: randomBytes(32) };
  const row = { id: randomUUID(), name: 'n', address: '::1', interval_s: 5, expires_at: inAnHour() };
  await rows.insert('device_grant', { ...row, ...codes, ...over });
  return codes.device_hash;
}

async function brokerKey(over: object = {}): Promise<string> {
  const id = randomUUID();
  await rows.insert('broker_key', { id, broker_id: broker.id, public_key: id, ...over });
  return id;
}

/** The only row of its table that is due, and how many a sweep does away with. */
type Due = { table: string; plant: () => Promise<unknown>; sweep: () => Promise<number> };

describe('work that is due is left to who is at it, and waits for nobody:', () => {
  it.each<[string, Due]>([
    [
      'an assertion that has ended',
      {
        table: 'spent_assertion',
        plant: () => rows.insert('spent_assertion', { jti: randomUUID(), expires_at: daysAgo(1) }),
        sweep: () => new SpentAssertionRepository(bench.database).sweep(10),
      },
    ],
    [
      'a signed call that is past',
      {
        table: 'peer_nonce',
        plant: () => rows.insert('peer_nonce', { nonce: randomUUID(), expires_at: daysAgo(1) }),
        sweep: () => new PeerNonceRepository(bench.database).sweep(10),
      },
    ],
    [
      'a bucket that is full',
      {
        table: 'rate_bucket',
        plant: () => rows.insert('rate_bucket', { bucket: 'b', tokens: 1, lease: 0, filled_at: daysAgo(1) }),
        sweep: () => new RateBucketRepository(bench.database).sweep(60, 10),
      },
    ],
    [
      'a session that is over',
      {
        table: 'user_session',
        plant: async () =>
          rows.insert('user_session', { id: randomUUID(), user_id: await user(), expires_at: daysAgo(2) }),
        sweep: () => new SessionRepository(bench.database).sweep(10),
      },
    ],
    [
      'a device grant that has ended',
      {
        table: 'device_grant',
        plant: () => deviceGrant({ expires_at: daysAgo(1) }),
        sweep: () => new DeviceGrantRepository(bench.database).sweep(10),
      },
    ],
    [
      'a key of a broker that was never confirmed',
      {
        table: 'broker_key',
        plant: () => brokerKey({ confirm_by: daysAgo(1) }),
        sweep: async () =>
          (await new BrokerKeyRepository(bench.database).lapse(bench.database.run, null, 10)).length,
      },
    ],
    [
      'the environment of an agent that was deleted',
      {
        table: 'agent',
        plant: () => agent({ phase: 'deleted', spec: { environment: { A: 'a' } } }),
        sweep: async () => (await new UpkeepRepository(bench.database).emptyDeleted(null, 10)).length,
      },
    ],
    [
      'a drain that is to be judged',
      {
        table: 'rollout',
        plant: () => {
          const names = { replica_name: 'r', software: 's', steps: '[]' };
          return rows.insert('rollout', { id: randomUUID(), replica_id: randomUUID(), ...names });
        },
        sweep: async () => ((await new RolloutRepository(bench.database).takeDue()) === undefined ? 0 : 1),
      },
    ],
  ])('%s', async (_what, { table, plant, sweep }) => {
    await plant();

    expect(await rows.besides(`select from ${table} for update`, [], sweep)).toBe(0);
    expect(await sweep()).toBe(1);
  });
});

describe('what one does at a time is left to who is at it:', () => {
  const dutyOf = (name: string) => `select pg_advisory_xact_lock(hashtextextended('${name}', 3))`;

  it('a duty of one replica, and no other duty', async () => {
    const forget = () => new PartitionRepository(bench.database).forgetCaught(30, 10);

    expect(await rows.besides(dutyOf('duty history retention'), [], forget)).toBeUndefined();
    expect(await rows.besides(dutyOf('duty history partitions'), [], forget)).toBe(0);
  });

  it('the chain of the audit', async () => {
    const link = () => new AuditChainRepository(bench.database).onDuty(() => Promise.resolve('linked'));

    expect(await rows.besides(dutyOf('audit chain'), [], link)).toBeUndefined();
    expect(await link()).toBe('linked');
  });

  it('the migrations of a database that is copied into', async () => {
    const lock = () => new CopyRepository(bench.database.run).tryLock(7);

    expect(await rows.besides('select pg_advisory_xact_lock(7)', [], lock)).toBe(false);
    expect(await lock()).toBe(true);
  });

  it('the connection of a broker for which claims have their turn, and no other', async () => {
    const [replicaId, other] = [await rows.replica(), await rows.broker()];
    const hello: Hello = {
      ...{ t: 'hello', protocol: { min: 1, max: 1 }, bootId: randomUUID(), journalId: randomUUID() },
      ...{ lastEpoch: 0, software: 'test', capabilities: [], labels: {}, window: 1, health: 'online' },
    };
    const comings = [broker, other].map(({ id }) => ({
      ...{ brokerId: id, connectionId: randomUUID(), hello, transport: 'websocket' as const },
      displaced: () => Promise.resolve(),
    }));

    const connected = await rows.besides(
      'select pg_advisory_xact_lock_shared(hashtextextended($1::text, 1))',
      [broker.id],
      () => new ConnectRepository(bench.database).connectFree(replicaId, comings),
    );

    expect([...connected.keys()]).toEqual([other.id]);
  });
});

describe('a change at the same moment is waited for:', () => {
  it('of an agent whose run is another by then, a report changes nothing', async () => {
    const { id, runId } = await agent();
    const report = { phase: 'failed', exitCode: 3, detail: null, restarts: 0 } as const;

    const changed = await rows.meanwhile(
      'update agent set run_id = $2 where id = $1',
      [id, randomUUID()],
      () =>
        new AgentRepository(bench.database).takeReports([
          { agentId: id, runId, brokerId: broker.id, ...report },
        ]),
    );

    expect(changed).toEqual([]);
    expect(await rows.one('select phase, exit_code from agent where id = $1', [id])).toEqual({
      phase: 'running',
      exit_code: null,
    });
  });

  it('a connection that was taken by then is not let go of', async () => {
    const taker = randomUUID();
    const release = { brokerId: broker.id, epoch: broker.epoch, reason: 'closed', silenceMs: 0 };

    await rows.meanwhile(
      'update broker_connection set epoch = epoch + 1, replica_id = $2 where broker_id = $1',
      [broker.id, taker],
      () => new ConnectionRepository(bench.database).release(broker.replicaId, [release]),
    );

    expect(
      await rows.one('select replica_id, release_reason from broker_connection where broker_id = $1', [
        broker.id,
      ]),
    ).toEqual({ replica_id: taker, release_reason: null });
    expect(await rows.stays(broker.id)).toMatchObject([{ ended_at: null }]);
  });

  it('of two questions of one device, the second comes too soon', async () => {
    const hash = await deviceGrant();

    const asked = await rows.meanwhile(
      'update device_grant set asked_at = now() where device_hash = $1',
      [hash],
      () => new DeviceGrantRepository(bench.database).ask(bench.database.run, hash),
    );

    expect(asked).toMatchObject({ isTooSoon: true, intervalS: 10 });
  });

  it('a key of a broker that was retired by then is none to begin with', async () => {
    const id = await brokerKey();

    const held = await rows.meanwhile('update broker_key set retired_at = now() where id = $1', [id], () =>
      new BrokerKeyRepository(bench.database).lock(bench.database.run, broker.id),
    );

    expect(held).toEqual([]);
  });
});
