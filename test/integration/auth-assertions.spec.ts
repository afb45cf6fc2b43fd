import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SignJWT } from 'jose';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { Assertions } from '../../src/hub/auth/assertions.js';
import { BrokerKeyRetired, ClockSkew, CredentialInvalid } from '../../src/hub/auth/auth.errors.js';
import { BrokerKeyRepository } from '../../src/hub/auth/broker-key.repository.js';
import { BrokerKeys } from '../../src/hub/auth/broker-keys.js';
import { Audit } from '../../src/hub/auth/audit.js';
import { AuditRepository } from '../../src/hub/auth/audit.repository.js';
import { BrokerKeyRotation } from '../../src/hub/auth/broker-key-rotation.js';
import { AuthDuties } from '../../src/hub/auth/duties.js';
import { DeviceGrantRepository } from '../../src/hub/auth/device-grant.repository.js';
import { SessionRepository } from '../../src/hub/auth/session.repository.js';
import { SpentAssertionRepository } from '../../src/hub/auth/spent-assertion.repository.js';
import { Clock } from '../../src/hub/cluster/clock.js';
import { Hub } from '../../src/hub/cluster/hub.js';
import { ReplicaRepository } from '../../src/hub/cluster/replica.repository.js';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { Database } from '../../src/hub/database/database.js';
import { Loops } from '../../src/hub/lifecycle/loops.js';
import { problemOf } from '../../src/hub/problems/problem.filter.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';

const MINUTE_MS = 60_000;
const STRANGER = randomUUID();

let database: TestDatabase;
let sql: pg.Client;
const sources: DataSource[] = [];

async function makeReplica() {
  const source = await makeDataSource(database.url, 'test').initialize();
  sources.push(source);
  const own = new Database(source);
  const [keys, spent, clock] = [new BrokerKeyRepository(own), new SpentAssertionRepository(own), new Clock()];
  const hub = new Hub(new ReplicaRepository(own));
  const assertions = new Assertions(keys, spent, hub, clock);
  const audit = new Audit(new AuditRepository(own));
  const rotation = new BrokerKeyRotation(assertions, keys, own, audit, clock);
  return {
    own,
    hub,
    clock,
    keys,
    brokerKeys: new BrokerKeys(keys),
    assertions,
    rotation,
    duties: new AuthDuties(
      new Loops(),
      spent,
      new SessionRepository(own),
      new DeviceGrantRepository(own),
      rotation,
    ),
  };
}

type Replica = Awaited<ReturnType<typeof makeReplica>>;
type Broker = { id: string; key: KeyObject; x: string };

let one: Replica;
let other: Replica;
let urn: string;
let broker: Broker;

beforeAll(async () => {
  database = await createDatabase();
  sql = new pg.Client(database.url);
  await sql.connect();
  [one, other] = await Promise.all([makeReplica(), makeReplica()]);
  urn = await one.hub.urn();
});

beforeEach(async () => {
  broker = await makeBroker();
});

afterEach(async () => {
  jest.restoreAllMocks();
  one.clock.measured(new Date(), Date.now(), Date.now());
  await sql.query('truncate spent_assertion, broker_key');
});

afterAll(async () => {
  await Promise.all(sources.map((source) => source.destroy()));
  await sql.end();
  await database.drop();
  await expectNoLeaks();
});

/** A broker as far as this module knows one: an id with a live key. */
async function makeBroker(id: string = randomUUID()): Promise<Broker> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const x = String(publicKey.export({ format: 'jwk' }).x);
  await one.own.transaction((run) => one.brokerKeys.store(run, id, x));
  return { id, key: privateKey, x };
}

type Changes = { claims?: Record<string, unknown>; key?: KeyObject; madeAtMs?: number; livesS?: number };

/** What the broker would sign now, but for what the test changes. */
function assertion({ claims = {}, key = broker.key, madeAtMs = Date.now(), livesS = 30 }: Changes = {}) {
  const iat = Math.floor(madeAtMs / 1000);
  const standard = { iss: broker.id, sub: broker.id, aud: urn, jti: randomUUID(), iat, exp: iat + livesS };
  return new SignJWT({ ...standard, ...claims }).setProtectedHeader({ alg: 'EdDSA' }).sign(key);
}

async function retire(id: string): Promise<void> {
  await one.own.transaction((run) => one.brokerKeys.retireAll(run, id));
}

async function spent(): Promise<string[]> {
  const { rows } = await sql.query<{ jti: string }>('select jti from spent_assertion order by jti');
  return rows.map(({ jti }) => jti);
}

describe('an assertion', () => {
  it('is redeemed once, of twenty that try at two replicas at the same moment', async () => {
    const jti = randomUUID();
    const compact = await assertion({ claims: { jti } });
    const holder = new pg.Client(database.url);
    await holder.connect();
    await holder.query('begin');
    await holder.query('insert into spent_assertion (jti, expires_at) values ($1, now())', [jti]);

    const trying = Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? one : other).assertions.redeem(compact)),
    );
    // All of them have looked and wait for the verdict on the id, which is that it is free after all.
    await eventually(async () => {
      const { rows } = await sql.query<{ count: number }>(
        `select count(*)::int from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rows[0]?.count === 20;
    }).finally(() => holder.end());
    const settled = await trying;

    const refusals = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(refusals.every((reason) => reason instanceof CredentialInvalid)).toBe(true);
    expect(await spent()).toEqual([jti]);
  });

  it('tells the broker, and is refused when it is played again at any replica', async () => {
    const compact = await assertion();

    const { brokerId } = await one.assertions.redeem(compact);

    expect(brokerId).toBe(broker.id);
    await expect(other.assertions.redeem(compact)).rejects.toThrow(CredentialInvalid);
    await expect(one.assertions.redeem(compact)).rejects.toThrow(CredentialInvalid);
  });

  it('is refused under an id that was used, whatever else it says', async () => {
    const jti = randomUUID();
    await one.assertions.redeem(await assertion({ claims: { jti } }));

    const again = other.assertions.redeem(await assertion({ claims: { jti }, livesS: 60 }));

    await expect(again).rejects.toThrow(CredentialInvalid);
  });

  it.each<[string, () => Promise<string>]>([
    ['for another hub', () => assertion({ claims: { aud: `urn:fairlead:hub:${randomUUID()}` } })],
    ['for the control channel', () => assertion({ claims: { aud: `${urn}/control` } })],
    ['for this hub and another', () => assertion({ claims: { aud: [urn, 'urn:fairlead:hub:other'] } })],
    [
      'that speaks for another broker',
      async () => {
        const { id } = await makeBroker();
        return assertion({ claims: { iss: id, sub: id } });
      },
    ],
    ['of one broker about another', async () => assertion({ claims: { sub: (await makeBroker()).id } })],
    ['issued by another broker', async () => assertion({ claims: { iss: (await makeBroker()).id } })],
    ['of a broker that is not known', () => assertion({ claims: { iss: STRANGER, sub: STRANGER } })],
    ['that lives for more than 60 s', () => assertion({ livesS: 61 })],
    ['that ends before it begins', () => assertion({ livesS: -1 })],
    ['without an id of its own', () => assertion({ claims: { jti: undefined } })],
    ['signed with another key', () => assertion({ key: generateKeyPairSync('ed25519').privateKey })],
    ['signed with the key of another broker', async () => assertion({ key: (await makeBroker()).key })],
    ['signed by nothing', async () => `${(await assertion()).split('.').slice(0, 2).join('.')}.`],
  ])('%s is refused, and uses nothing up', async (_what, make) => {
    const compact = await make();

    const redeeming = one.assertions.redeem(compact);

    await expect(redeeming).rejects.toThrow(CredentialInvalid);
    expect(await spent()).toEqual([]);
  });
});

describe('the key of a broker', () => {
  it('that was retired gets its holder 403 broker_revoked', async () => {
    await retire(broker.id);

    const redeeming = other.assertions.redeem(await assertion());

    await expect(redeeming).rejects.toThrow(BrokerKeyRetired);
    await expect(redeeming).rejects.toMatchObject({ code: 'broker_revoked', status: 403 });
    expect(await spent()).toEqual([]);
  });

  it('tells nobody else that it was retired', async () => {
    await retire(broker.id);
    const { privateKey } = generateKeyPairSync('ed25519');

    const redeeming = one.assertions.redeem(await assertion({ key: privateKey }));

    await expect(redeeming).rejects.toThrow(CredentialInvalid);
  });

  it('that was renewed is a bad credential, and the new one is good', async () => {
    await retire(broker.id);
    const renewed = await makeBroker(broker.id);

    const both = [await assertion(), await assertion({ key: renewed.key })];
    const [old, renewal] = await Promise.allSettled(both.map((compact) => one.assertions.redeem(compact)));

    expect(old).toMatchObject({ status: 'rejected', reason: expect.any(CredentialInvalid) });
    expect(renewal).toMatchObject({ status: 'fulfilled', value: { brokerId: broker.id } });
  });

  it('that is retired between the look at it and the redemption gets nothing', async () => {
    const list = one.keys.list.bind(one.keys);
    jest.spyOn(one.keys, 'list').mockImplementationOnce(async (id) => {
      const rows = await list(id);
      await retire(id);
      return rows;
    });

    const redeeming = one.assertions.redeem(await assertion());

    await expect(redeeming).rejects.toThrow(CredentialInvalid);
    expect(await spent()).toEqual([]);
  });

  it('is used by one broker in the life of the hub', async () => {
    await retire(broker.id);

    const storing = one.own.transaction((run) => one.brokerKeys.store(run, randomUUID(), broker.x));

    await expect(storing).rejects.toMatchObject({ code: 'broker_name_taken' });
  });
});

describe('a clock that is off', () => {
  it.each([
    ['behind', -10 * MINUTE_MS],
    ['ahead', 10 * MINUTE_MS],
  ])('by ten minutes %s gets 401 clock_skew with the time of the hub', async (_which, offMs) => {
    const compact = await assertion({ madeAtMs: Date.now() + offMs });

    const refusal: unknown = await one.assertions.redeem(compact).catch((error: unknown) => error);

    expect(refusal).toBeInstanceOf(ClockSkew);
    const problem = problemOf(refusal as ClockSkew, 'request');
    expect(problem).toMatchObject({ status: 401, code: 'clock_skew' });
    expect(Math.abs(Date.parse(String(problem.hubTime)) - Date.now())).toBeLessThan(5_000);
    expect(await spent()).toEqual([]);
  });

  it('is mended by the time that the refusal told', async () => {
    const compact = await assertion({ madeAtMs: Date.now() - 10 * MINUTE_MS });
    const refusal: unknown = await one.assertions.redeem(compact).catch((error: unknown) => error);
    const { hubTime } = problemOf(refusal as ClockSkew, 'request');

    const redeeming = one.assertions.redeem(await assertion({ madeAtMs: Date.parse(String(hubTime)) }));

    await expect(redeeming).resolves.toMatchObject({ brokerId: broker.id });
  });

  it('tells nothing to who has no key: the signature is judged first', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const compact = await assertion({ key: privateKey, madeAtMs: Date.now() - 10 * MINUTE_MS });

    const redeeming = one.assertions.redeem(compact);

    await expect(redeeming).rejects.toThrow(CredentialInvalid);
  });

  it('of a replica brings no assertion back that has ended by the time of the database', async () => {
    const past = new Date(Date.now() - 10 * MINUTE_MS);
    one.clock.measured(past, Date.now(), Date.now());
    const compact = await assertion({ madeAtMs: past.getTime() });

    const refusal: unknown = await one.assertions.redeem(compact).catch((error: unknown) => error);

    expect(refusal).toBeInstanceOf(ClockSkew);
    const { hubTime } = problemOf(refusal as ClockSkew, 'request');
    expect(Math.abs(Date.parse(String(hubTime)) - Date.now())).toBeLessThan(5_000);
    expect(await spent()).toEqual([]);
  });
});

describe('the sweep of spent assertions', () => {
  const fill = (many: number, ends: string) =>
    sql.query(
      `insert into spent_assertion (jti, expires_at)
       select gen_random_uuid(), now() + $2::interval from generate_series(1, $1)`,
      [many, ends],
    );

  it('forgets all that have ended, over more than one batch, and none of the others', async () => {
    await fill(3, '1 minute');
    await fill(2, '1 hour');
    const alive = await spent();
    await fill(2_500, '-1 second');

    await one.duties.sweep();

    expect(await spent()).toEqual(alive);
  });

  it('of two replicas at once waits for nobody', async () => {
    await fill(2_500, '-1 second');

    await Promise.all([one.duties.sweep(), other.duties.sweep()]);

    await one.duties.sweep();
    expect(await spent()).toEqual([]);
  });

  it('leaves no way to use an assertion twice', async () => {
    const compact = await assertion();
    await one.assertions.redeem(compact);

    await one.duties.sweep();

    await expect(other.assertions.redeem(compact)).rejects.toThrow(CredentialInvalid);
  });

  it('stops between batches when the replica is stopping', async () => {
    await fill(2, '-1 second');

    await one.duties.sweep(AbortSignal.abort());

    expect(await spent()).toHaveLength(2);
  });
});
