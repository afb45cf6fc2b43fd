import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BrokerKeyRepository } from '../../src/hub/auth/broker-key.repository.js';
import { FirstBoot } from '../../src/hub/auth/first-boot.js';
import { JoinTokenRepository } from '../../src/hub/auth/join-token.repository.js';
import { PersonalTokenRepository } from '../../src/hub/auth/personal-token.repository.js';
import { SigningKeyRepository } from '../../src/hub/auth/signing-key.repository.js';
import { SpentAssertionRepository, type SpentProof } from '../../src/hub/auth/spent-assertion.repository.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';
import type { Rows } from './support/rows.js';

let bench: Bench;
let rows: Rows;

beforeAll(async () => {
  bench = await openBench();
  rows = bench.rows;
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

const inFuture = () => new Date(Date.now() + 60_000);
const inPast = () => new Date(Date.now() - 60_000);
/** Whether the time was not changed by the work. */
async function keepsTime(query: string, id: string, work: () => Promise<unknown>): Promise<boolean> {
  const [before] = (await rows.sql.query(query, [id])).rows;
  await work();
  const [after] = (await rows.sql.query(query, [id])).rows;
  return before.at.getTime() === after.at.getTime();
}

describe('the first administrator', () => {
  const ensure = () => new FirstBoot(bench.database).ensureAdministrator();
  const meet = (name: string) =>
    rows.meanwhile(
      `insert into hub_user (id, name, role) values (gen_random_uuid(), $1, 'admin')`,
      [name],
      ensure,
    );

  it('is that of the replica that was faster', async () => {
    expect(await meet('admin')).toBeUndefined();
  });

  it('is invited by the replica that was faster', async () => {
    const invite = () => new FirstBoot(bench.database).inviteAdministrator();
    await rows.sql.query('delete from hub_user');

    const met = await rows.meanwhile(
      `insert into hub_user (id, name, role) values (gen_random_uuid(), $1, 'admin')`,
      ['admin'],
      invite,
    );

    expect(met).toBeUndefined();
  });

  it.each<[string, string, object]>([
    ['nothing yet', '', {}],
    ['a password', 'user_password', { hash: 'x' }],
    ['a token', 'personal_token', { id: randomUUID(), name: 't', prefix: 'p', hash: randomBytes(32) }],
    ['a session', 'user_session', { id: randomUUID(), expires_at: inFuture() }],
    ['a name with an OpenID provider', 'user_identity', { issuer: 'https://id.test', subject: 's' }],
  ])('is invited again only where it has nothing to come in by: %s', async (_what, table, row) => {
    const boot = new FirstBoot(bench.database);
    await rows.sql.query('truncate hub_user cascade');
    await boot.inviteAdministrator();
    const { rows: users } = await rows.sql.query('select id from hub_user');
    if (table !== '') await rows.insert(table, { user_id: users[0].id, ...row });
    await rows.sql.query('update invite set expires_at = now()');

    const again = await boot.inviteAdministrator();

    expect(again !== undefined).toBe(table === '');
  });

  it('is not invited again where its invite was revoked', async () => {
    const boot = new FirstBoot(bench.database);
    await rows.sql.query('truncate hub_user cascade');
    await boot.inviteAdministrator();
    await rows.sql.query('update invite set expires_at = now(), revoked_at = now()');

    expect(await boot.inviteAdministrator()).toBeUndefined();
  });

  it('is made in a hub that knows nobody, whatever the names of those that it knows', async () => {
    await rows.sql.query(`update hub_user set name = 'renamed'`);

    expect(await ensure()).toBeUndefined();
  });
});

describe('a seat', () => {
  async function token(over: object = {}): Promise<{ id: string; hash: Buffer }> {
    const made = { id: randomUUID(), hash: randomBytes(32) };
    const rest = { prefix: 'p', seats: 2, created_by: randomUUID(), expires_at: inFuture() };
    await rows.insert('join_token', { ...rest, ...made, ...over });
    return made;
  }

  const take = (hash: Buffer) => new JoinTokenRepository(bench.database).take(bench.database.run, hash);

  it('is taken as often as there is one', async () => {
    const { id, hash } = await token();
    await token();

    expect([await take(hash), await take(hash), await take(hash)]).toMatchObject([{ id }, { id }, undefined]);
  });

  it.each<[string, object]>([
    ['has expired', { expires_at: inPast() }],
    ['was revoked', { revoked_at: inPast() }],
  ])('of a token that %s is not to be had', async (_what, over) => {
    expect(await take((await token(over)).hash)).toBeUndefined();
  });

  it('is not to be had by another token', async () => {
    await token();

    expect(await take(randomBytes(32))).toBeUndefined();
  });

  it('is given up at the time when the token was revoked first', async () => {
    const { id } = await token({ revoked_at: inPast() });

    const revoke = () => new JoinTokenRepository(bench.database).revoke(bench.database.run, id);

    expect(await keepsTime('select revoked_at as at from join_token where id = $1', id, revoke)).toBe(true);
  });
});

describe('an assertion', () => {
  const repository = () => new SpentAssertionRepository(bench.database);

  async function key(over: object = {}): Promise<string> {
    const id = randomUUID();
    await rows.insert('broker_key', { id, broker_id: randomUUID(), public_key: id, ...over });
    return id;
  }

  it('is spent once', async () => {
    const [jti, keyId] = [randomUUID(), await key()];

    expect(await repository().spend(jti, inFuture(), keyId)).toMatchObject({ isSpent: true });
    expect(await repository().spend(jti, inFuture(), keyId)).toMatchObject({ isSpent: false });
  });

  it('is not spent when it has ended by the time of the database', async () => {
    expect(await repository().spend(randomUUID(), inPast(), await key())).toMatchObject({
      isSpent: false,
      hasEnded: true,
    });
  });

  it.each<[string, () => Promise<string>]>([
    ['was retired', () => key({ retired_at: inPast() })],
    ['has lapsed', () => key({ confirm_by: inPast() })],
    [
      'does not exist, while others do',
      async () => {
        await key();
        return randomUUID();
      },
    ],
  ])('is not spent by a key that %s', async (_what, keyOf) => {
    expect(await repository().spend(randomUUID(), inFuture(), await keyOf())).toMatchObject({
      isSpent: false,
    });
  });

  it('is forgotten once it has ended, and never sooner', async () => {
    const [live, ended] = [randomUUID(), randomUUID()];
    await rows.insert('spent_assertion', { jti: live, expires_at: inFuture() });
    await rows.insert('spent_assertion', { jti: ended, expires_at: inPast() });

    await repository().sweep(100);

    const { rows: left } = await rows.sql.query('select jti from spent_assertion where jti = any ($1)', [
      [live, ended],
    ]);
    expect(left).toEqual([{ jti: live }]);
  });
});

describe('a proof', () => {
  const spend = async (...proofs: SpentProof[]) => {
    const { spent } = await new SpentAssertionRepository(bench.database).spendProofs(proofs);
    return proofs.map(({ jti }) => spent.has(jti));
  };

  /** One by a live key of its broker, or as told. */
  async function proof(over: Partial<SpentProof> = {}, key: object = {}): Promise<SpentProof> {
    const [brokerId, publicKey] = [randomUUID(), randomUUID()];
    await rows.insert('broker_key', {
      id: randomUUID(),
      broker_id: brokerId,
      public_key: publicKey,
      ...key,
    });
    return { jti: randomUUID(), endsAt: inFuture(), brokerId, publicKey, ...over };
  }

  it('is spent once, beside others', async () => {
    const [one, other] = [await proof(), await proof()];

    expect(await spend(one)).toEqual([true]);
    expect(await spend(one, other)).toEqual([false, true]);
  });

  it('is not spent when it has ended by the time of the database, or by what is no live key of its broker', async () => {
    const { brokerId, publicKey } = await proof();

    expect(
      await spend(
        await proof({ endsAt: inPast() }),
        await proof({}, { retired_at: inPast() }),
        await proof({}, { confirm_by: inPast() }),
        await proof({ brokerId }),
        await proof({ publicKey }),
        await proof(),
      ),
    ).toEqual([false, false, false, false, false, true]);
  });
});

describe('the key of a broker', () => {
  const repository = () => new BrokerKeyRepository(bench.database);
  const store = (publicKey: string) =>
    repository().store(bench.database.run, { id: randomUUID(), brokerId: randomUUID(), publicKey });

  it('belongs to one broker', async () => {
    const publicKey = randomUUID();

    expect([await store(publicKey), await store(publicKey)]).toEqual([true, false]);
  });

  /** @returns its id, which is its public key too */
  async function key(brokerId: string, over: object = {}): Promise<string> {
    const id = randomUUID();
    await rows.insert('broker_key', { id, broker_id: brokerId, public_key: id, ...over });
    return id;
  }
  const state = (id: string) =>
    rows.one('select confirm_by as "confirmBy", retired_at as "retiredAt" from broker_key where id = $1', [
      id,
    ]);

  it('is held while its broker changes, if it is not retired, and no other', async () => {
    const brokerId = randomUUID();
    const held = [await key(brokerId), await key(brokerId, { confirm_by: inFuture() })].sort();
    await key(brokerId, { retired_at: inPast() });
    await key(randomUUID());

    expect(await repository().lock(bench.database.run, brokerId)).toEqual(held);
  });

  it('goes on waiting where it is begun again, and is nobody else’s', async () => {
    const [brokerId, other] = [randomUUID(), randomUUID()];
    const begin = (of: string, publicKey: string) =>
      repository().begin(bench.database.run, { id: randomUUID(), brokerId: of, publicKey });
    const waiting = await key(brokerId, { confirm_by: inFuture() });
    const lapsed = await key(other, { confirm_by: inPast() });
    const retired = await key(other, { confirm_by: inFuture(), retired_at: inPast() });

    expect(await begin(brokerId, waiting)).toEqual({ confirmBy: expect.any(Date) });
    expect(await begin(other, waiting)).toBe('was used');
    expect(await begin(other, lapsed)).toBe('was used');
    expect(await begin(other, retired)).toBe('was used');
    expect(await begin(brokerId, randomUUID())).toBe('another waits');
  });

  it('is confirmed by itself, and ends the others of its broker', async () => {
    const [brokerId, stranger] = [randomUUID(), randomUUID()];
    const [former, next] = [await key(brokerId), await key(brokerId, { confirm_by: inFuture() })];
    const [strange, waiting] = [await key(stranger), await key(stranger, { confirm_by: inFuture() })];
    const earlier = await key(brokerId, { retired_at: inPast() });
    const confirm = () => repository().confirm(bench.database.run, next);

    const at = 'select retired_at as at from broker_key where id = $1';
    expect(await keepsTime(at, earlier, async () => expect(await confirm()).toEqual([former]))).toBe(true);

    expect(await state(next)).toEqual({ confirmBy: null, retiredAt: null });
    expect(await state(strange)).toEqual({ confirmBy: null, retiredAt: null });
    expect(await state(waiting)).toEqual({ confirmBy: expect.any(Date), retiredAt: null });
    expect(await confirm()).toBeUndefined();
  });

  it.each<[string, object]>([
    ['has lapsed', { confirm_by: inPast() }],
    ['was retired', { confirm_by: inFuture(), retired_at: inPast() }],
  ])('that %s is not confirmed', async (_what, over) => {
    const brokerId = randomUUID();
    const [former, next] = [await key(brokerId), await key(brokerId, over)];

    expect(await repository().confirm(bench.database.run, next)).toBeUndefined();
    expect(await state(former)).toMatchObject({ retiredAt: null });
  });

  it('lapses once its time is over, and is told of once', async () => {
    const brokerId = randomUUID();
    const lapsed = await key(brokerId, { confirm_by: inPast() });
    const waiting = await key(randomUUID(), { confirm_by: inFuture() });
    const strange = await key(randomUUID(), { confirm_by: inPast() });
    const lapse = () => repository().lapse(bench.database.run, brokerId, 100);

    expect(await lapse()).toEqual([{ brokerId, publicKey: lapsed }]);
    expect(await lapse()).toEqual([]);
    expect(await state(waiting)).toMatchObject({ retiredAt: null });
    expect(await state(strange)).toMatchObject({ retiredAt: null });
    await repository().lapse(bench.database.run, null, 100);
    expect(await state(waiting)).toMatchObject({ retiredAt: null });
  });

  it('tells whose it is while it is live and does not wait', async () => {
    const brokerId = randomUUID();
    const [live, waiting, retired] = [
      await key(brokerId),
      await key(brokerId, { confirm_by: inFuture() }),
      await key(brokerId, { retired_at: inPast() }),
    ];
    const holders = await Promise.all([live, waiting, retired].map((each) => repository().holderOf(each)));

    expect(holders).toEqual([brokerId, undefined, undefined]);
  });

  it('is retired with those of its own broker, and once', async () => {
    const [brokerId, id, other] = [randomUUID(), randomUUID(), randomUUID()];
    await rows.insert('broker_key', { id, broker_id: brokerId, public_key: id, retired_at: inPast() });
    await rows.insert('broker_key', { id: other, broker_id: randomUUID(), public_key: other });

    const retire = () => repository().retireAll(bench.database.run, brokerId);

    expect(await keepsTime('select retired_at as at from broker_key where id = $1', id, retire)).toBe(true);
    expect(await rows.one('select retired_at from broker_key where id = $1', [other])).toEqual({
      retired_at: null,
    });
  });
});

describe('a personal token', () => {
  const repository = () => new PersonalTokenRepository(bench.database);
  const userId = randomUUID();

  beforeAll(() => rows.insert('hub_user', { id: userId, name: 'somebody', role: 'admin' }));

  async function token(over: object = {}): Promise<{ id: string; hash: Buffer }> {
    const made = { id: randomUUID(), hash: randomBytes(32) };
    await rows.insert('personal_token', { ...made, user_id: userId, name: 't', prefix: 'p', ...over });
    return made;
  }

  it('tells its holder', async () => {
    const { id, hash } = await token({ expires_at: inFuture() });

    expect(await repository().findHolder(hash)).toMatchObject({ tokenId: id, userId });
  });

  it.each<[string, object]>([
    ['has expired', { expires_at: inPast() }],
    ['was revoked', { revoked_at: inPast() }],
  ])('that %s tells nobody', async (_what, over) => {
    expect(await repository().findHolder((await token(over)).hash)).toBeUndefined();
  });

  it('is revoked by its own holder alone', async () => {
    const { id, hash } = await token();

    expect(await repository().revoke(id, randomUUID())).toBeUndefined();
    expect(await repository().findHolder(hash)).toMatchObject({ tokenId: id });
    expect(await repository().revoke(id, userId)).toEqual(hash);
  });

  it('keeps the time when it was revoked first', async () => {
    const { id } = await token({ revoked_at: inPast() });

    const revoke = () => repository().revoke(id, userId);

    expect(await keepsTime('select revoked_at as at from personal_token where id = $1', id, revoke)).toBe(
      true,
    );
  });
});

describe('a signing key', () => {
  const repository = () => new SigningKeyRepository(bench.database);
  const make = () =>
    repository().addFirst({ id: randomUUID(), publicJwk: { kty: 'OKP' }, sealedPrivate: randomBytes(8) });

  it('is one, of all that are made at the same moment', async () => {
    await Promise.all([make(), make(), make(), make()]);

    expect(await repository().list()).toHaveLength(1);
  });

  it('is made in turn with others', async () => {
    await rows.meanwhile('select pg_advisory_xact_lock($1)', [0x66_6b_65_79], make);

    expect(await repository().list()).toHaveLength(1);
  });

  it('is retired by the one that takes its place, once, which signs', async () => {
    const [old, next] = [randomUUID(), randomUUID()];
    await rows.sql.query('truncate signing_key');
    await rows.insert('signing_key', {
      id: old,
      public_jwk: '{}',
      sealed_private: randomBytes(8),
      retired_at: new Date(Date.now() - 60_000),
    });
    await make();
    const rotate = () =>
      bench.database.transaction((run) =>
        repository().rotate(run, { id: next, publicJwk: { kty: 'OKP' }, sealedPrivate: randomBytes(8) }),
      );

    expect(await keepsTime('select retired_at as at from signing_key where id = $1', old, rotate)).toBe(true);

    const [first, ...rest] = await repository().list();
    expect(first).toMatchObject({ id: next, isLive: true, maySign: true });
    expect(rest.map(({ isLive, maySign }) => [isLive, maySign])).toEqual([
      [false, true],
      [false, true],
    ]);
    await rows.sql.query(`update signing_key set retired_at = now() - interval '31 minutes' where id = $1`, [
      old,
    ]);
    expect((await repository().list()).find(({ id }) => id === old)).toMatchObject({ maySign: false });
    await rows.sql.query(`delete from signing_key where id <> $1`, [next]);
  });

  it('is known for an hour after it was retired', async () => {
    await rows.sql.query(`update signing_key set retired_at = now() - interval '50 minutes'`);
    expect(await repository().list()).toMatchObject([{ isLive: false }]);

    await rows.sql.query(`update signing_key set retired_at = now() - interval '61 minutes'`);
    expect(await repository().list()).toEqual([]);
  });
});
