import { createHash, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SignJWT } from 'jose';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { Assertions } from '../../src/hub/auth/assertions.js';
import { Audit } from '../../src/hub/auth/audit.js';
import { AuditRepository } from '../../src/hub/auth/audit.repository.js';
import { BrokerKeyRepository } from '../../src/hub/auth/broker-key.repository.js';
import { BrokerKeyRotation } from '../../src/hub/auth/broker-key-rotation.js';
import { ROTATE_KEY_PATH } from '../../src/protocol/version.js';
import { BrokerKeys } from '../../src/hub/auth/broker-keys.js';
import { SpentAssertionRepository } from '../../src/hub/auth/spent-assertion.repository.js';
import { thumbprintOf } from '../../src/hub/auth/ed25519.js';
import { Clock } from '../../src/hub/cluster/clock.js';
import { Hub } from '../../src/hub/cluster/hub.js';
import { ReplicaRepository } from '../../src/hub/cluster/replica.repository.js';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { Database } from '../../src/hub/database/database.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { expectNoLeaks } from '../support/leaks.js';

type Key = { key: KeyObject; x: string };

const ORIGIN = { requestId: 'request', address: '127.0.0.1' };

let database: TestDatabase;
let source: DataSource;
let sql: pg.Client;
let keys: BrokerKeys;
let spent: SpentAssertionRepository;
let rotation: BrokerKeyRotation;
let own: Database;
let urn: string;
let brokerId: string;
let old: Key;

beforeAll(async () => {
  database = await createDatabase();
  source = await makeDataSource(database.url, 'test').initialize();
  sql = new pg.Client(database.url);
  await sql.connect();
  own = new Database(source);
  const [repository, clock, hub] = [
    new BrokerKeyRepository(own),
    new Clock(),
    new Hub(new ReplicaRepository(own)),
  ];
  spent = new SpentAssertionRepository(own);
  keys = new BrokerKeys(repository);
  const assertions = new Assertions(repository, spent, hub, clock);
  rotation = new BrokerKeyRotation(assertions, repository, own, new Audit(new AuditRepository(own)), clock);
  urn = await hub.urn();
});

beforeEach(async () => {
  brokerId = randomUUID();
  old = makeKey();
  await own.transaction((run) => keys.store(run, brokerId, old.x));
});

afterEach(() => sql.query('truncate spent_assertion, broker_key'));

afterAll(async () => {
  await source.destroy();
  await sql.end();
  await database.drop();
  await expectNoLeaks();
});

function makeKey(): Key {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { key: privateKey, x: String(publicKey.export({ format: 'jwk' }).x) };
}

function assertionBy({ key }: Key): Promise<string> {
  const iat = Math.floor(Date.now() / 1000);
  const claims = { iss: brokerId, sub: brokerId, aud: urn, jti: randomUUID(), iat, exp: iat + 30 };
  return new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA' }).sign(key);
}

function proofOf({ key, x }: Key, assertion: string, over: object = {}): Promise<string> {
  const ath = createHash('sha256').update(assertion).digest('base64url');
  const iat = Math.floor(Date.now() / 1000);
  const claims = { htm: 'POST', htu: `http://hub${ROTATE_KEY_PATH}`, ath, iat, jti: randomUUID() };
  return new SignJWT({ ...claims, ...over })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'EdDSA', jwk: { kty: 'OKP', crv: 'Ed25519', x } })
    .sign(key);
}

const anybody = () => Promise.resolve();

async function begin(next: Key, by: Key = old) {
  const assertion = await assertionBy(by);
  const proof = await proofOf(next, assertion);
  return rotation.begin({ assertion, publicKey: next.x, proof }, ORIGIN, anybody);
}

async function use(key: Key): Promise<string> {
  return (await rotation.redeem(await assertionBy(key), ORIGIN)).brokerId;
}

/** As an upgrade does, by a token that was got with this key. */
async function entersBy({ x: publicKey }: Key): Promise<boolean> {
  const jti = randomUUID();
  const endsAt = new Date(Date.now() + 60_000);
  return (await spent.spendProofs([{ jti, endsAt, brokerId, publicKey }])).spent.has(jti);
}

const lapse = () =>
  sql.query(`update broker_key set confirm_by = now() - interval '1 second' where confirm_by > now()`);

async function told(): Promise<object[]> {
  const { rows } = await sql.query<object>(
    `select act, outcome, code, actor_kind as actor, detail from audit where subject_id = $1 order by seq`,
    [brokerId],
  );
  return rows;
}

describe('a new key of a broker', () => {
  it('waits beside the one before, and both are good', async () => {
    const next = makeKey();

    const { thumbprint, confirmBy } = await begin(next);

    expect(thumbprint).toBe(thumbprintOf(next.x));
    expect(confirmBy.getTime() - Date.now()).toBeGreaterThan(3_500_000);
    expect(await use(old)).toBe(brokerId);
    expect(await entersBy(old)).toBe(true);
    expect(await entersBy(next)).toBe(true);
  });

  it('ends the one before with its first use, for renewals and for tokens that are about', async () => {
    const next = makeKey();
    await begin(next);

    expect(await use(next)).toBe(brokerId);

    await expect(use(old)).rejects.toMatchObject({ code: 'credential_invalid' });
    expect(await entersBy(old)).toBe(false);
    await expect(begin(makeKey(), old)).rejects.toMatchObject({ code: 'credential_invalid' });
    expect(await use(next)).toBe(brokerId);
    expect(await entersBy(next)).toBe(true);
  });

  it('is confirmed once, of many first uses at once, and all of them are taken', async () => {
    const next = makeKey();
    await begin(next);

    const used = await Promise.all(Array.from({ length: 6 }, () => use(next)));

    expect(used).toEqual(Array(6).fill(brokerId));
    expect(await told()).toEqual([
      {
        act: 'broker.key_begin',
        outcome: 'done',
        code: null,
        actor: 'broker',
        detail: { thumbprint: thumbprintOf(next.x), confirmBy: expect.any(String) },
      },
      {
        act: 'broker.key_confirm',
        outcome: 'done',
        code: null,
        actor: 'broker',
        detail: { thumbprint: thumbprintOf(next.x), ended: [thumbprintOf(old.x)] },
      },
    ]);
  });

  it('may be offered again, until the time that was told first', async () => {
    const next = makeKey();
    const first = await begin(next);

    expect(await begin(next)).toEqual(first);
  });

  it('keeps another one from waiting, whoever was faster', async () => {
    const settled = await Promise.allSettled([makeKey(), makeKey(), makeKey()].map((next) => begin(next)));

    const refused = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason as object] : []));
    expect(refused).toMatchObject(Array(2).fill({ code: 'broker_key_waits', status: 409 }));
    expect(await told()).toHaveLength(3);
  });

  it('that nobody has used lapses, and the one before goes on', async () => {
    const [next, other] = [makeKey(), makeKey()];
    await begin(next);
    await lapse();

    await expect(use(next)).rejects.toMatchObject({ code: 'credential_invalid' });
    expect(await entersBy(next)).toBe(false);
    expect(await use(old)).toBe(brokerId);
    expect(await rotation.sweep()).toEqual({ isBatch: false });
    await rotation.sweep();

    expect((await told()).slice(1)).toMatchObject([
      { act: 'broker.key_lapse', outcome: 'done', detail: { thumbprint: thumbprintOf(next.x) } },
    ]);
    await expect(begin(next)).rejects.toMatchObject({ code: 'broker_key_used', status: 409 });
    await begin(other);
    expect(await use(other)).toBe(brokerId);
  });

  it('makes way for another as soon as it has lapsed, noted or not', async () => {
    await begin(makeKey());
    await lapse();
    const other = makeKey();

    await begin(other);

    expect(await use(other)).toBe(brokerId);
    expect(await told()).toMatchObject(
      ['begin', 'lapse', 'begin', 'confirm'].map((act) => ({ act: `broker.key_${act}` })),
    );
  });

  it('ends with the others when the broker is revoked', async () => {
    const next = makeKey();
    await begin(next);

    await own.transaction((run) => keys.retireAll(run, brokerId));

    await expect(use(next)).rejects.toMatchObject({ code: 'broker_revoked' });
    await expect(use(old)).rejects.toMatchObject({ code: 'broker_revoked' });
    await expect(begin(makeKey())).rejects.toMatchObject({ code: 'broker_revoked' });
  });

  it('that is begun while the broker is revoked is revoked with it, or not begun', async () => {
    for (let turn = 0; turn < 10; turn += 1) {
      const next = makeKey();
      await Promise.allSettled([begin(next), own.transaction((run) => keys.retireAll(run, brokerId))]);

      const { rows } = await sql.query('select from broker_key where broker_id = $1 and retired_at is null', [
        brokerId,
      ]);
      expect(rows).toEqual([]);
      brokerId = randomUUID();
      old = makeKey();
      await own.transaction((run) => keys.store(run, brokerId, old.x));
    }
  });

  it('brings no machine its broker back before it was used', async () => {
    const next = makeKey();
    await begin(next);
    expect(await keys.holderOf(next.x)).toBeUndefined();

    await use(next);

    expect(await keys.holderOf(next.x)).toBe(brokerId);
  });
});

describe('another key is not begun', () => {
  const refused = async (over: {
    by?: Key;
    publicKey?: string;
    proof?: (assertion: string, next: Key) => Promise<string> | undefined;
  }) => {
    const next = makeKey();
    const assertion = await assertionBy(over.by ?? old);
    const proof =
      over.proof === undefined ? await proofOf(next, assertion) : await over.proof(assertion, next);
    const asked = { assertion, publicKey: over.publicKey ?? next.x, proof };
    const refusal: unknown = await rotation.begin(asked, ORIGIN, anybody).catch((error: unknown) => error);
    expect(await sql.query('select from broker_key where confirm_by is not null')).toMatchObject({
      rowCount: 0,
    });
    return refusal;
  };

  it('by a key that is not the broker’s', async () => {
    expect(await refused({ by: makeKey() })).toMatchObject({ code: 'credential_invalid', status: 401 });
  });

  it('without a proof that the caller has it', async () => {
    expect(await refused({ proof: () => undefined })).toMatchObject({
      code: 'credential_missing',
      status: 401,
    });
  });

  it.each<[string, (assertion: string, next: Key) => Promise<string>]>([
    ['by the key before it', (assertion) => proofOf(old, assertion)],
    ['for another assertion', (_assertion, next) => proofOf(next, 'another')],
    [
      'for another request',
      (assertion, next) => proofOf(next, assertion, { htu: 'http://hub/api/v1/control' }),
    ],
  ])('with a proof %s', async (_which, proof) => {
    expect(await refused({ proof })).toMatchObject({ code: 'credential_invalid', status: 401 });
  });

  it('with a proof of another time, and the hub tells its own', async () => {
    const early = Math.floor(Date.now() / 1000) - 600;

    const refusal = await refused({ proof: (assertion, next) => proofOf(next, assertion, { iat: early }) });

    expect(refusal).toMatchObject({ code: 'clock_skew', status: 401 });
  });

  it('that is none', async () => {
    expect(await refused({ publicKey: 'A'.repeat(42) })).toMatchObject({
      code: 'request_invalid',
      status: 400,
    });
  });

  it('for a broker that asks too often', async () => {
    const next = makeKey();
    const assertion = await assertionBy(old);
    const asked = { assertion, publicKey: next.x, proof: await proofOf(next, assertion) };
    const asking = rotation.begin(asked, ORIGIN, () => Promise.reject(new Error('too often')));

    await expect(asking).rejects.toThrow('too often');
  });

  it('that was the broker’s, or is', async () => {
    await expect(begin(old)).rejects.toMatchObject({ code: 'broker_key_used' });

    expect(await told()).toMatchObject([
      { act: 'broker.key_begin', outcome: 'refused', code: 'broker_key_used' },
    ]);
  });

  it('by one that waits itself', async () => {
    const next = makeKey();
    await begin(next);

    await expect(begin(makeKey(), next)).rejects.toMatchObject({ code: 'credential_invalid' });
  });

  it('by an assertion that was used', async () => {
    const next = makeKey();
    const assertion = await assertionBy(old);
    await rotation.redeem(assertion, ORIGIN);
    const asked = { assertion, publicKey: next.x, proof: await proofOf(next, assertion) };

    await expect(rotation.begin(asked, ORIGIN, anybody)).rejects.toMatchObject({
      code: 'credential_invalid',
    });
  });
});
