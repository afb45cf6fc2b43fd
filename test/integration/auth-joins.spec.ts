import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { JWK } from 'jose';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { makeKey, publicKeyOf } from '../../src/broker/credential-key.js';
import { proofFields } from '../../src/broker/proof.js';
import { AccessTokens } from '../../src/hub/auth/access-tokens.js';
import { JoinTokenInvalid } from '../../src/hub/auth/auth.errors.js';
import { Audit } from '../../src/hub/auth/audit.js';
import { AuditRepository } from '../../src/hub/auth/audit.repository.js';
import { BrokerKeyRepository } from '../../src/hub/auth/broker-key.repository.js';
import { BrokerKeys } from '../../src/hub/auth/broker-keys.js';
import { FirstBoot } from '../../src/hub/auth/first-boot.js';
import { JoinTokenRepository } from '../../src/hub/auth/join-token.repository.js';
import { JoinTokens } from '../../src/hub/auth/join-tokens.js';
import { makeOpaque } from '../../src/hub/auth/opaque-token.js';
import { Sealer } from '../../src/hub/auth/sealer.js';
import { SigningKeyRepository } from '../../src/hub/auth/signing-key.repository.js';
import { SigningKeys } from '../../src/hub/auth/signing-keys.js';
import { Clock } from '../../src/hub/cluster/clock.js';
import { Hub } from '../../src/hub/cluster/hub.js';
import { ReplicaRepository } from '../../src/hub/cluster/replica.repository.js';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { Database } from '../../src/hub/database/database.js';
import { BrokerRepository } from '../../src/hub/registry/broker.repository.js';
import { Rejoins } from '../../src/hub/registry/rejoins.js';
import { SpentAssertionRepository } from '../../src/hub/auth/spent-assertion.repository.js';
import { SpentProofs } from '../../src/hub/auth/spent-proofs.js';
import { Brokers, type Joined, type Joining } from '../../src/hub/registry/brokers.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { personalTokensOf } from './support/personal-tokens.js';

const POOL = 10;
const SEAL_KEY = randomBytes(32);
const ORIGIN = { requestId: 'r', address: '192.0.2.1' };
const OPERATOR = {
  kind: 'person',
  id: randomUUID(),
  name: 'operator',
  credentialId: null,
  origin: ORIGIN,
} as const;

let database: TestDatabase;
let sql: pg.Client;
let sources: DataSource[];

/** A fresh database, and a way to look into it that is no replica's. */
async function open(): Promise<void> {
  database = await createDatabase();
  sql = new pg.Client(database.url);
  sources = [];
  await sql.connect();
}

async function close(): Promise<void> {
  await Promise.all(sources.map((source) => source.destroy()));
  await sql.end();
  await database.drop();
}

async function makeReplica() {
  const source = await makeDataSource(database.url, 'test').initialize();
  sources.push(source);
  const own = new Database(source);
  const audit = new Audit(new AuditRepository(own));
  const joinTokens = new JoinTokens(new JoinTokenRepository(own), own, audit);
  const hub = new Hub(new ReplicaRepository(own));
  const signingKeys = new SigningKeys(new SigningKeyRepository(own), new Sealer([SEAL_KEY]));
  const brokers = new Brokers(
    own,
    new BrokerRepository(own),
    joinTokens,
    new BrokerKeys(new BrokerKeyRepository(own)),
    new AccessTokens(signingKeys, hub, new Clock()),
    hub,
    audit,
    new Rejoins(
      joinTokens,
      new BrokerKeys(new BrokerKeyRepository(own)),
      new BrokerRepository(own),
      new SpentProofs(new SpentAssertionRepository(own)),
      new Clock(),
    ),
  );
  return { brokers, joinTokens, firstBoot: new FirstBoot(own) };
}

type Replica = Awaited<ReturnType<typeof makeReplica>>;

function makeJoining(joining: { token: string } & Partial<Joining>): Joining {
  const { publicKey } = generateKeyPairSync('ed25519');
  return {
    publicKey: String(publicKey.export({ format: 'jwk' }).x),
    name: `broker-${randomUUID()}`,
    fingerprint: 'a'.repeat(64),
    software: 'test/1',
    labels: {},
    ...joining,
  };
}

/** Lets everybody run into what this transaction holds, and lets go when so many stand there. */
async function raceInto<T>(hold: string, atLeast: number, act: () => Promise<T>[]): Promise<T[]> {
  await sql.query('begin');
  await sql.query(hold);
  const racing = Promise.all(act());
  await eventually(async () => (await waiting()) >= atLeast).finally(() => sql.query('rollback'));
  return racing;
}

/** How many sessions wait for a lock. Asked for on a connection of its own: within a transaction it never changes. */
async function waiting(): Promise<number> {
  const client = new pg.Client(database.url);
  await client.connect();
  const { rows } = await client
    .query<{ count: number }>(
      `select count(*)::int from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    .finally(() => client.end());
  return rows[0]?.count ?? 0;
}

async function count(table: string): Promise<number> {
  return (await sql.query<{ count: number }>(`select count(*)::int from ${table}`)).rows[0]?.count ?? -1;
}

async function taken(id: string): Promise<number | undefined> {
  return (await sql.query<{ taken: number }>('select taken from join_token where id = $1', [id])).rows[0]
    ?.taken;
}

function outcome(joining: Promise<unknown>): Promise<unknown> {
  return joining.then(
    () => 'joined',
    (error: unknown) => (error as { code?: unknown }).code ?? error,
  );
}

const seat = (replica: Replica, options: { seats?: number; expiresInS?: number } = {}) =>
  replica.joinTokens.create({ seats: 1, expiresInS: 60, labels: {}, ...options }, OPERATOR);

afterAll(() => expectNoLeaks());

describe('the seats of a join token', () => {
  let one: Replica;
  let other: Replica;

  beforeAll(async () => {
    await open();
    [one, other] = await Promise.all([makeReplica(), makeReplica()]);
  });

  afterAll(close);

  afterEach(() => sql.query('truncate broker, broker_key cascade'));

  it('that 100 joins race for at two replicas are taken exactly as many times as there are', async () => {
    const { id, token } = await seat(one, { seats: 10 });

    const outcomes = await raceInto(`select from join_token where id = '${id}' for update`, 2 * POOL, () =>
      Array.from({ length: 100 }, (_, index) =>
        outcome((index % 2 === 0 ? one : other).brokers.join(makeJoining({ token }), ORIGIN)),
      ),
    );

    expect(outcomes.filter((code) => code === 'joined')).toHaveLength(10);
    expect(outcomes.filter((code) => code === 'join_token_invalid')).toHaveLength(90);
    expect([await taken(id), await count('broker'), await count('broker_key')]).toEqual([10, 10, 10]);
  });

  it('are given back by a join that fails after having taken one', async () => {
    const { id, token } = await seat(one, { seats: 3 });
    const first = makeJoining({ token });
    await one.brokers.join(first, ORIGIN);

    const refused = [
      await outcome(one.brokers.join(makeJoining({ token, name: first.name }), ORIGIN)),
      await outcome(one.brokers.join(makeJoining({ token, publicKey: first.publicKey }), ORIGIN)),
      await outcome(one.brokers.join(makeJoining({ token, publicKey: 'x'.repeat(43) }), ORIGIN)),
    ];

    expect(refused).toEqual(['broker_name_taken', 'broker_name_taken', 'request_invalid']);
    expect([await taken(id), await count('broker')]).toEqual([1, 1]);
  });

  it.each<[string, () => Promise<string>]>([
    ['unknown', () => Promise.resolve(makeOpaque('join').plain)],
    ['of another kind', () => Promise.resolve(makeOpaque('personal').plain)],
    ['no token at all', () => Promise.resolve('flj_')],
    ['expired', async () => (await seat(other, { expiresInS: -1 })).token],
    [
      'revoked at another replica',
      async () => {
        const { id, token } = await seat(one);
        await other.joinTokens.revoke(id, OPERATOR);
        return token;
      },
    ],
    [
      'used up',
      async () => {
        const { token } = await seat(one);
        await one.joinTokens.take(new Database(sources[0]!).run, token);
        return token;
      },
    ],
  ])('are not to be had with a token that is %s, and nothing is written', async (_what, make) => {
    const token = await make();

    const joining = one.brokers.join(makeJoining({ token }), ORIGIN);

    await expect(joining).rejects.toThrow(JoinTokenInvalid);
    expect([await count('broker'), await count('broker_key')]).toEqual([0, 0]);
  });

  it('stay with who has taken one when the token is revoked, and revoking again changes nothing', async () => {
    const { id, token } = await seat(one, { seats: 2 });
    const { brokerId } = await one.brokers.join(makeJoining({ token }), ORIGIN);
    await one.joinTokens.revoke(id, OPERATOR);
    const [before] = await one.joinTokens.list(null, 1);

    await other.joinTokens.revoke(id, OPERATOR);

    const [after] = await one.joinTokens.list(null, 1);
    expect(after).toEqual(before);
    expect(after).toMatchObject({ id, taken: 1, revokedAt: expect.any(Date) });
    expect((await one.brokers.get(brokerId)).id).toBe(brokerId);
  });

  it('give the labels of the token, which win over what the broker says of itself', async () => {
    const labels = { zone: 'of the token', tier: 'gold' };
    const { token } = await one.joinTokens.create({ seats: 1, expiresInS: 60, labels }, OPERATOR);

    const { brokerId } = await one.brokers.join(
      makeJoining({ token, labels: { zone: 'of the broker', rack: '7' } }),
      ORIGIN,
    );

    expect((await other.brokers.get(brokerId)).labels).toEqual({ ...labels, rack: '7' });
  });

  it('are kept as a hash: no column holds the token', async () => {
    const { token } = await seat(one);

    const { rows } = await sql.query<{ row: string }>('select join_token::text as row from join_token');

    const secret = token.slice('flj_'.length);
    const forms = [
      secret,
      Buffer.from(token).toString('hex'),
      Buffer.from(secret, 'base64url').toString('hex'),
    ];
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter(({ row }) => forms.some((form) => row.includes(form)))).toEqual([]);
  });
});

describe('a machine that joins again', () => {
  let one: Replica;
  let other: Replica;
  let key: JWK;
  let first: Joining;
  let joined: Joined;

  beforeAll(async () => {
    await open();
    [one, other] = await Promise.all([makeReplica(), makeReplica()]);
  });

  beforeEach(async () => {
    key = await makeKey();
    const { token } = await seat(one);
    first = makeJoining({ token, publicKey: publicKeyOf(key) });
    joined = await one.brokers.join(first, ORIGIN, await proofFor(first));
  });

  afterEach(() => sql.query('truncate broker, broker_key, join_token cascade'));

  afterAll(close);

  const PATH = '/api/v1/brokers/join';
  async function proofFor(
    { token }: { token: string },
    { by = key, path = PATH, agoMs = 0 }: { by?: JWK; path?: string; agoMs?: number } = {},
  ): Promise<string> {
    const { dpop } = await proofFields(by, token, 'http://hub', { method: 'POST', path }, Date.now() - agoMs);
    return dpop;
  }
  const again = async (joining: Joining, proof?: string) =>
    outcome(other.brokers.join(joining, ORIGIN, proof));

  it('gets its broker back with a proof of its key, though the token has no seats left, and takes none', async () => {
    const renamed = { ...first, name: 'another', labels: { zone: 'new' } };

    const back = await other.brokers.join(renamed, ORIGIN, await proofFor(first));

    expect(back).toMatchObject({ brokerId: joined.brokerId, name: first.name, hubId: joined.hubId });
    expect(back.accessToken).not.toBe(joined.accessToken);
    expect(await count('broker')).toBe(1);
    const { rows } = await sql.query('select taken, seats from join_token');
    expect(rows).toEqual([{ taken: 1, seats: 1 }]);
    const { rows: kept } = await sql.query(
      `select detail ->> 'again' as again from audit where act = 'broker.join' and subject_id = $1 order by id`,
      [joined.brokerId],
    );
    expect(kept).toEqual([{ again: null }, { again: 'true' }]);
  });

  it('is told from one that joins first by its key, without asking about the token twice', async () => {
    const peek = jest.spyOn(other.joinTokens, 'peek');
    const { token } = await seat(one);
    const key = await makeKey();
    const anew = makeJoining({ token, publicKey: publicKeyOf(key) });

    await other.brokers.join(anew, ORIGIN, await proofFor(anew, { by: key }));
    const asked = peek.mock.calls.length;
    await other.brokers.join(anew, ORIGIN, await proofFor(anew, { by: key }));

    expect([asked, peek.mock.calls.length]).toEqual([0, 1]);
  });

  it.each<[string, string, () => Promise<[Joining, string | undefined]>]>([
    ['without a proof', 'broker_name_taken', () => Promise.resolve([first, undefined])],
    [
      'with a proof by another key',
      'broker_name_taken',
      async () => [first, await proofFor(first, { by: await makeKey() })],
    ],
    [
      'with a proof for another route',
      'broker_name_taken',
      async () => [first, await proofFor(first, { path: '/x' })],
    ],
    [
      'on another machine',
      'broker_name_taken',
      async () => [{ ...first, fingerprint: 'b'.repeat(64) }, await proofFor(first)],
    ],
    [
      'with a proof that is too old',
      'clock_skew',
      async () => [first, await proofFor(first, { agoMs: 70_000 })],
    ],
    [
      'with a token that was revoked',
      'join_token_invalid',
      async () => {
        await sql.query('update join_token set revoked_at = now()');
        return [first, await proofFor(first)];
      },
    ],
    [
      'with a key that was retired',
      'broker_name_taken',
      async () => {
        await sql.query('update broker_key set retired_at = now()');
        return [first, await proofFor(first)];
      },
    ],
    [
      'once its broker was revoked',
      'broker_name_taken',
      async () => {
        await sql.query('update broker set revoked_at = now()');
        return [first, await proofFor(first)];
      },
    ],
  ])('%s is told %s', async (_what, code, make) => {
    // Seats are left, so that it is no want of these.
    await sql.query('update join_token set seats = 5');
    const [joining, proof] = await make();

    expect(await again(joining, proof)).toBe(code);
    expect(await count('broker')).toBe(1);
  });

  it('with a proof that was used before is refused', async () => {
    const proof = await proofFor(first);
    expect(await again(first, proof)).toBe('joined');

    const answers = [await again(first, proof), await outcome(one.brokers.join(first, ORIGIN, proof))];

    expect(answers).toEqual(['credential_invalid', 'credential_invalid']);
  });
});

describe('the first boot', () => {
  const boot = (replicas: Replica[]) => replicas.map(({ firstBoot }) => firstBoot.ensureAdministrator());
  /** While this is undecided, every replica sees a hub without users and waits to learn whether the name is taken. */
  const undecided = `insert into hub_user (id, name, role) values ('${randomUUID()}', 'admin', 'admin')`;
  let replicas: Replica[];

  beforeAll(async () => {
    await open();
    const two = await Promise.all([makeReplica(), makeReplica()]);
    replicas = Array.from({ length: 4 }, () => two).flat();
  });

  afterAll(close);

  it('of eight replicas at once gives one of them the token of one administrator', async () => {
    const told = await raceInto(undecided, replicas.length, () => boot(replicas));

    const tokens = told.filter((token) => token !== undefined);
    expect(tokens).toHaveLength(1);
    expect([await count('hub_user'), await count('personal_token')]).toEqual([1, 1]);
    const personalTokens = personalTokensOf(new Database(sources[1]!));
    await expect(personalTokens.authenticate(String(tokens[0]))).resolves.toMatchObject({
      name: 'admin',
      role: 'admin',
    });
  });

  it('is over for good: whoever boots later makes and learns nothing', async () => {
    const told = await Promise.all(boot(replicas));

    expect(told.every((token) => token === undefined)).toBe(true);
    expect([await count('hub_user'), await count('personal_token')]).toEqual([1, 1]);
  });
});
