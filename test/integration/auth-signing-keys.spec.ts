import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { AccessTokens } from '../../src/hub/auth/access-tokens.js';
import { Audit } from '../../src/hub/auth/audit.js';
import { AuditRepository } from '../../src/hub/auth/audit.repository.js';
import { CredentialInvalid, SealUnopened } from '../../src/hub/auth/auth.errors.js';
import { Sealer } from '../../src/hub/auth/sealer.js';
import { SigningKeyRepository } from '../../src/hub/auth/signing-key.repository.js';
import { SigningKeyRotation } from '../../src/hub/auth/signing-key-rotation.js';
import { SigningKeys } from '../../src/hub/auth/signing-keys.js';
import { Clock } from '../../src/hub/cluster/clock.js';
import { Hub } from '../../src/hub/cluster/hub.js';
import { ReplicaRepository } from '../../src/hub/cluster/replica.repository.js';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { Database } from '../../src/hub/database/database.js';
import { DatabaseUnavailable } from '../../src/hub/database/database.errors.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';

const OLD = randomBytes(32);
const NEW = randomBytes(32);
const ACTOR = {
  kind: 'person',
  id: randomUUID(),
  name: 'operator',
  credentialId: null,
  origin: { requestId: 'r', address: '192.0.2.1' },
} as const;
const JKT = 'thumbprint';
const MINUTE_MS = 60_000;

let database: TestDatabase;
let sql: pg.Client;
let source: DataSource;

beforeAll(async () => {
  database = await createDatabase();
  sql = new pg.Client(database.url);
  await sql.connect();
  source = await makeDataSource(database.url, 'test').initialize();
});

afterEach(async () => {
  jest.restoreAllMocks();
  await sql.query('truncate signing_key');
});

afterAll(async () => {
  await source.destroy();
  await sql.end();
  await database.drop();
  await expectNoLeaks();
});

/** A replica that has read nothing yet. They share a pool, and nothing else. */
function makeReplica({ ring = [NEW], aheadMs = 0 }: { ring?: Buffer[]; aheadMs?: number } = {}) {
  const own = new Database(source);
  const repository = new SigningKeyRepository(own);
  const keys = new SigningKeys(repository, new Sealer(ring));
  const rotation = new SigningKeyRotation(
    repository,
    keys,
    new Sealer(ring),
    own,
    new Audit(new AuditRepository(own)),
  );
  const clock = new Clock();
  clock.measured(new Date(Date.now() + aheadMs), Date.now(), Date.now());
  return {
    repository,
    keys,
    rotation,
    tokens: new AccessTokens(keys, new Hub(new ReplicaRepository(own)), clock),
  };
}

async function count(table: string): Promise<number> {
  return (await sql.query<{ count: number }>(`select count(*)::int from ${table}`)).rows[0]?.count ?? -1;
}

/** No key signs any more; those that did are taken for the rest of an hour. */
async function retireAll(ago: string): Promise<void> {
  await sql.query('update signing_key set retired_at = now() - $1::interval', [ago]);
}

async function mint(
  replica: ReturnType<typeof makeReplica>,
  brokerId: string = randomUUID(),
): Promise<string> {
  return (await replica.tokens.mint(brokerId, JKT)).token;
}

describe('a signing key', () => {
  it('is one, however many replicas make the first at the same time', async () => {
    const holder = new pg.Client(database.url);
    await holder.connect();
    await holder.query('begin');
    await holder.query(`lock table signing_key in share mode`);
    const replicas = Array.from({ length: 6 }, () => makeReplica());

    const making = Promise.all(replicas.map(({ keys }) => keys.current()));
    await eventually(async () => {
      const { rows } = await sql.query<{ count: number }>(
        `select count(*)::int from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rows[0]?.count === replicas.length;
    }).finally(() => holder.end());

    expect(new Set((await making).map(({ kid }) => kid)).size).toBe(1);
    expect(await count('signing_key')).toBe(1);
  });

  it('that is rotated is taken along with its successor, at every replica, and signs no more where that was read', async () => {
    const [one, other] = [makeReplica(), makeReplica()];
    const before = await mint(one);
    await other.tokens.verify(before);

    const made = await one.rotation.rotate(ACTOR);
    const [after, late] = [await mint(one), await mint(other)];

    expect(decodeProtectedHeader(after).kid).toBe(made.id);
    expect(decodeProtectedHeader(late).kid).toBe(decodeProtectedHeader(before).kid);
    for (const token of [before, after, late])
      for (const { tokens } of [one, other, makeReplica()])
        await expect(tokens.verify(token)).resolves.toBeDefined();
    expect((await one.keys.published()).map(({ isLive }) => isLive)).toEqual([true, false]);
    expect((await sql.query('select act, subject_id from audit')).rows).toEqual([
      { act: 'signing_key.rotate', subject_id: made.id },
    ]);
  });

  it('that was rotated is so although the database goes away right after the commit', async () => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const replica = makeReplica();
    await mint(replica);
    jest.spyOn(replica.repository, 'list').mockRejectedValueOnce(new DatabaseUnavailable(new Error('gone')));

    const made = await replica.rotation.rotate(ACTOR);
    await replica.keys.refresh();

    expect(decodeProtectedHeader(await mint(replica)).kid).toBe(made.id);
  });

  it('that is retired goes on to sign where nobody has given the seal key of its successor yet', async () => {
    const [renewed, behind] = [makeReplica({ ring: [NEW, OLD] }), makeReplica({ ring: [OLD] })];
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const before = await mint(behind);
    await renewed.rotation.rotate(ACTOR);
    await behind.keys.refresh();

    const late = await mint(behind);

    expect(decodeProtectedHeader(late).kid).toBe(decodeProtectedHeader(before).kid);
    await expect(renewed.tokens.verify(late)).resolves.toBeDefined();
    await sql.query(
      `update signing_key set retired_at = now() - interval '31 minutes' where retired_at is not null`,
    );
    await behind.keys.refresh();
    await expect(mint(behind)).rejects.toThrow(SealUnopened);
  });

  it('is one of those that sign, however many rotate at the same time', async () => {
    const replicas = Array.from({ length: 4 }, () => makeReplica());

    await Promise.all(replicas.map(({ rotation }) => rotation.rotate(ACTOR)));

    const { rows } = await sql.query<{ live: number }>(
      'select count(*) filter (where retired_at is null)::int as live from signing_key',
    );
    expect(rows[0]).toEqual({ live: 1 });
  });

  it('signs at one replica what another takes', async () => {
    const [one, other] = [makeReplica(), makeReplica()];
    const brokerId = randomUUID();

    const verified = await other.tokens.verify(await mint(one, brokerId));

    expect(verified.brokerId).toBe(brokerId);
    expect(await mint(other).then(decodeProtectedHeader)).toMatchObject({
      kid: (await one.keys.current()).kid,
    });
  });

  it('that was made a moment ago is found by a replica that read the keys just before', async () => {
    const late = makeReplica();
    await late.keys.current();
    await retireAll('0');
    const fresh = await mint(makeReplica());

    const verified = await late.tokens.verify(fresh);

    expect(verified.expiresAt.getTime()).toBeGreaterThan(Date.now());
    expect(await count('signing_key')).toBe(2);
  });

  it.each([
    ['taken for an hour after it was retired', '59 minutes', 'fulfilled'],
    ['not taken any longer', '61 minutes', 'rejected'],
  ])('is %s', async (_what, ago, expected) => {
    const token = await mint(makeReplica());
    await retireAll(ago);

    const [settled] = await Promise.allSettled([makeReplica().tokens.verify(token)]);

    expect(settled.status).toBe(expected);
  });

  it('that was sealed under an older seal key of the ring still signs', async () => {
    const before = makeReplica({ ring: [OLD] });
    const rotated = makeReplica({ ring: [NEW, OLD] });
    const { kid } = await before.keys.current();

    const token = await mint(rotated);

    expect(decodeProtectedHeader(token)).toMatchObject({ kid });
    await expect(before.tokens.verify(token)).resolves.toBeDefined();
    expect(await count('signing_key')).toBe(1);
  });

  it('that the ring does not open is not replaced by another: the replica cannot sign, and says why', async () => {
    const warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const token = await mint(makeReplica({ ring: [OLD] }));
    const locked = makeReplica({ ring: [NEW] });

    const signing = locked.keys.current();

    await expect(signing).rejects.toThrow(SealUnopened);
    await expect(locked.tokens.verify(token)).resolves.toBeDefined();
    expect(await count('signing_key')).toBe(1);
    expect(warned).toHaveBeenCalled();
  });

  it('does not open in the row of another key', async () => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    await makeReplica().keys.current();
    await sql.query('update signing_key set id = $1', [randomUUID()]);

    const signing = makeReplica().keys.current();

    await expect(signing).rejects.toThrow(SealUnopened);
  });

  it('has its private half in the database sealed only', async () => {
    await makeReplica().keys.current();

    const { rows } = await sql.query<{ public_jwk: object; sealed_private: Buffer }>(
      'select * from signing_key',
    );

    expect(Object.keys(rows[0]?.public_jwk ?? {}).sort()).toEqual(['crv', 'kty', 'x']);
    expect(rows[0]?.sealed_private.toString('latin1')).not.toContain('"d"');
  });
});

describe('a flood of tokens of keys that nobody made', () => {
  it('costs one query a second, and holds up nobody whose key is known', async () => {
    const replica = makeReplica();
    const good = await mint(replica);
    const listed = replica.repository.list.bind(replica.repository);
    const list = jest.spyOn(replica.repository, 'list');
    const unknown = () => Array.from({ length: 500 }, () => replica.keys.find(randomUUID()));
    const began = performance.now();

    const first = await Promise.all(unknown());
    // The next query does not come back before the token is verified, however long that takes.
    let answer: () => void = () => undefined;
    const mayAnswer = new Promise<void>((resolve) => (answer = resolve));
    list.mockImplementation(async () => {
      await mayAnswer;
      return listed();
    });
    const second = Promise.all(unknown());
    let areFound = false;
    void second.then(() => (areFound = true));
    await replica.tokens.verify(good);
    const wereFound = areFound;
    answer();
    const found = [...first, ...(await second)];

    const seconds = (performance.now() - began) / 1000;
    expect(found.filter((key) => key !== undefined)).toEqual([]);
    expect(list.mock.calls.length).toBeLessThanOrEqual(1 + Math.floor(seconds));
    expect(wereFound).toBe(false);
  });

  it('costs nothing where the key id is none that a hub makes', async () => {
    const replica = makeReplica();
    await replica.keys.current();
    const list = jest.spyOn(replica.repository, 'list');

    const found = await Promise.all(
      ['', 'x', '../../etc/passwd', 'k'.repeat(10_000)].map((kid) => replica.keys.find(kid)),
    );

    expect(found).toEqual([undefined, undefined, undefined, undefined]);
    expect(list).not.toHaveBeenCalled();
  });
});

describe('an access token', () => {
  type Replica = ReturnType<typeof makeReplica>;
  let hub: Replica;

  beforeEach(() => {
    hub = makeReplica();
  });

  /** As this hub would sign it, but for what the test changes. */
  async function forge(
    claims: Record<string, unknown>,
    header: Record<string, unknown> = {},
  ): Promise<string> {
    const { kid, key } = await hub.keys.current();
    const good = decodeJwt(await mint(hub));
    return new SignJWT({ ...good, ...claims })
      .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'fairlead-broker+jwt', ...header })
      .sign(key);
  }

  it('is bound to the key of the broker and ends after 15 minutes', async () => {
    const brokerId = randomUUID();

    const claims = decodeJwt(await mint(hub, brokerId));

    expect(claims).toMatchObject({ sub: brokerId, cnf: { jkt: JKT } });
    expect(Number(claims.exp) - Number(claims.iat)).toBe(15 * 60);
  });

  it('is taken until it ends by the time of the hub, wherever that stands', async () => {
    const token = await mint(hub);

    const [early, late] = await Promise.allSettled(
      [14, 16].map((minutes) => makeReplica({ aheadMs: minutes * MINUTE_MS }).tokens.verify(token)),
    );

    expect(early).toMatchObject({ status: 'fulfilled' });
    expect(late).toMatchObject({ status: 'rejected', reason: expect.any(CredentialInvalid) });
  });

  it('that is changed in nothing is taken, as the forgeries below would be but for their one fault', async () => {
    const token = await forge({});

    const verified = hub.tokens.verify(token);

    await expect(verified).resolves.toBeDefined();
  });

  it.each<[string, () => Promise<string>]>([
    ['for another audience', () => forge({ aud: 'urn:fairlead:hub:other/control' })],
    ['of another issuer', () => forge({ iss: 'urn:fairlead:hub:other' })],
    ['of nobody', () => forge({ sub: undefined })],
    ['of somebody who is no broker', () => forge({ sub: 'admin' })],
    ['bound to no key', () => forge({ cnf: undefined })],
    ['without an end', () => forge({ exp: undefined })],
    ['of another type', () => forge({}, { typ: 'JWT' })],
    ['without a type', () => forge({}, { typ: undefined })],
    ['without a key id', () => forge({}, { kid: undefined })],
    [
      "signed with a stranger's key under the id of one of the hub's",
      async () => {
        const { privateKey } = generateKeyPairSync('ed25519');
        const good = await mint(hub);
        const { kid } = await hub.keys.current();
        return new SignJWT(decodeJwt(good))
          .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'fairlead-broker+jwt' })
          .sign(privateKey);
      },
    ],
    [
      'signed with the public key as if it were a shared secret',
      async () => {
        const { kid } = await hub.keys.current();
        const [row] = await hub.repository.list();
        return new SignJWT(decodeJwt(await mint(hub)))
          .setProtectedHeader({ alg: 'HS256', kid, typ: 'fairlead-broker+jwt' })
          .sign(Buffer.from(String(row?.publicJwk.x), 'base64url'));
      },
    ],
    [
      'signed by nothing',
      async () => {
        const [head, claims] = (await forge({})).split('.');
        const header = { ...JSON.parse(Buffer.from(String(head), 'base64url').toString()), alg: 'none' };
        return `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${claims}.`;
      },
    ],
    ['that is no token', () => Promise.resolve('a.b.c')],
  ])('%s is refused', async (_what, make) => {
    const token = await make();

    const verified = hub.tokens.verify(token);

    await expect(verified).rejects.toThrow(CredentialInvalid);
  });
});
