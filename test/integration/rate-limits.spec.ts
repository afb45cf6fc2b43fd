import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as rest } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { FirstBoot } from '../../src/hub/auth/first-boot.js';
import { RateBucketRepository } from '../../src/hub/auth/limits/rate-bucket.repository.js';
import { RateLimiter } from '../../src/hub/auth/limits/rate-limiter.js';
import { makeOpaque } from '../../src/hub/auth/opaque-token.js';
import { Passwords } from '../../src/hub/auth/passwords.js';
import { readConfig } from '../../src/hub/config/hub-config.js';
import { FULL_AFTER_S } from '../../src/hub/config/rate-limits.js';
import { Database } from '../../src/hub/database/database.js';
import { DatabaseServer } from '../../src/hub/database/server.js';
import { makeHub } from '../../src/hub/hub.js';
import { Api } from '../support/api.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { countingPages } from './support/explaining.js';

const LIMITS = 'read=40:40,write=5:20,join=10:10,token=1:10,login=1:5';
const PASSWORD = 'correct horse battery';

let database: TestDatabase;
let sql: pg.Client;
let replicas: NestFastifyApplication[];
let token: string;

beforeAll(async () => {
  database = await createDatabase();
  sql = new pg.Client(database.url);
  await sql.connect();
  const env = {
    DATABASE_URL: database.url,
    FAIRLEAD_SEAL_KEYS: randomBytes(32).toString('hex'),
    FAIRLEAD_CLUSTER_SECRET: randomBytes(32).toString('hex'),
    FAIRLEAD_RATE_LIMITS: LIMITS,
    FAIRLEAD_LOG_LEVEL: 'silent',
  };
  replicas = [await makeHub(readConfig(env)), await makeHub(readConfig(env))];
  for (const app of replicas) {
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
  }
  await replicas[0]!.listen(0, '127.0.0.1');
  token = String(await replicas[0]!.get(FirstBoot).ensureAdministrator());
});

afterAll(async () => {
  for (const app of replicas) {
    await app.close();
    await app.get(DataSource).destroy();
    await app.get(DatabaseServer).close();
  }
  await sql.end();
  await database.drop();
  await expectNoLeaks();
});

type Ask = { replica?: number; from?: string; payload?: object; bearer?: string };

function ask(method: 'GET' | 'POST' | 'PUT', path: string, { replica = 0, from, payload, bearer }: Ask = {}) {
  return replicas[replica]!.inject({
    method,
    url: `/api/v1${path}`,
    headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
    ...(from === undefined ? {} : { remoteAddress: from }),
    ...(payload === undefined ? {} : { payload }),
  });
}

const badJoin = (from: string, replica = 0) =>
  ask('POST', '/brokers/join', {
    replica,
    from,
    payload: {
      token: `flj_${randomBytes(32).toString('base64url')}`,
      publicKey: randomBytes(32).toString('base64url'),
      name: `b-${randomUUID()}`,
      fingerprint: 'a'.repeat(64),
      software: 'it/1',
    },
  });

/** Somebody with a password. */
async function makePerson(role = 'member'): Promise<string> {
  const [id, name] = [randomUUID(), `u-${randomUUID()}`];
  const hash = await replicas[0]!.get(Passwords).hash(PASSWORD);
  await sql.query('insert into hub_user (id, name, role) values ($1, $2, $3)', [id, name, role]);
  await sql.query('insert into user_password (user_id, hash) values ($1, $2)', [id, hash]);
  return name;
}

const signIn = (user: string, from: string, password = PASSWORD) =>
  ask('POST', '/sessions', { from, payload: { user, password } });

/** By an administrator of its own, whose limit nothing else has used. */
async function joinBroker(): Promise<ScriptedBroker> {
  const url = await replicas[0]!.getUrl();
  const { accessToken } = (await signIn(await makePerson('admin'), '192.0.2.87')).json();
  return ScriptedBroker.join(new Api(url, accessToken), url);
}

const exchange = (assertion: string, from: string) =>
  ask('POST', '/brokers/token', {
    from,
    payload: {
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    },
  });

/** Waits until there is more, as a refusal says. */
const asTold = ({ headers }: { headers: Record<string, unknown> }) =>
  rest(Number(headers['retry-after']) * 1_000);

const buckets = async (like: string) =>
  (await sql.query('select * from rate_bucket where bucket like $1', [like])).rows;

describe('the limits of callers, over two replicas', () => {
  it('let a person write as much as one may at whichever replica, and say when there is more', async () => {
    const answers = await Promise.all(
      Array.from({ length: 80 }, (_, at) =>
        ask('POST', '/projects', { replica: at % 2, bearer: token, payload: { name: `p-${at}` } }),
      ),
    );

    const taken = answers.filter(({ statusCode }) => statusCode === 201);
    const refused = answers.filter(({ statusCode }) => statusCode === 429);
    expect(taken.length + refused.length).toBe(80);
    // A burst of 20, and a tenth of that for each replica; a busy machine may give what a second brings.
    expect(taken.length).toBeGreaterThanOrEqual(20);
    expect(taken.length).toBeLessThan(60);
    const { headers, body } = refused[0]!;
    expect(headers['retry-after']).toMatch(/^[1-9]\d*$/);
    expect(headers['ratelimit-policy']).toBe('"write";q=20;w=4');
    expect(headers.ratelimit).toMatch(/^"write";r=0;t=[1-9]\d*$/);
    expect(JSON.parse(body)).toMatchObject({ code: 'rate_limited', limit: 'write', status: 429 });
    // Reading is another matter.
    expect((await ask('GET', '/me', { bearer: token })).statusCode).toBe(200);
  });

  it('write no row a request: one a caller, in its place', async () => {
    const { rows: before } = await sql.query(
      `select n_tup_ins + n_tup_upd as written from pg_stat_user_tables where relname = 'rate_bucket'`,
    );
    expect(before).toHaveLength(1);
    const leased = () => replicas.reduce((sum, app) => sum + app.get(RateLimiter).leases, 0);
    const first = leased();

    await Promise.all(
      Array.from({ length: 200 }, (_, at) => ask('GET', '/me', { replica: at % 2, bearer: token })),
    );

    expect(leased() - first).toBeLessThan(20);
    expect(await buckets('read %')).toHaveLength(1);
  });

  it('refuse an address that has guessed too often, and no other, and count nothing that was good', async () => {
    const guesses = [];
    for (let count = 0; count < 60; count += 1)
      guesses.push((await badJoin('192.0.2.66', count % 2)).statusCode);

    expect(guesses.slice(0, 10)).toEqual(Array(10).fill(401));
    expect(guesses).toContain(429);
    expect((await badJoin('192.0.2.67')).statusCode).toBe(401);
    // One address of a customer's network stands for all that he has.
    const sixes = [];
    for (let count = 0; count < 40; count += 1)
      sixes.push((await badJoin(`2001:db8:1:2::${count}`)).statusCode);
    expect(sixes).toContain(429);
    expect(await buckets('join %')).toHaveLength(2);
  });

  it('refuse an address that begins too many device grants, and no other', async () => {
    const begin = async (from: string, replica = 0) =>
      (await ask('POST', '/device-grants', { replica, from, payload: { name: 'x' } })).statusCode;
    const begun = [];
    for (let count = 0; count < 20; count += 1) begun.push(await begin('192.0.2.76', count % 2));

    expect(begun.slice(0, 5)).toEqual(Array(5).fill(201));
    expect(begun).toContain(429);
    expect(await begin('192.0.2.77')).toBe(201);
  });

  it('refuse an address that asks for a device grant sooner than it is told to, before that is noted', async () => {
    const from = '192.0.2.78';
    const begun = (
      await ask('POST', '/device-grants', { from: '192.0.2.79', payload: { name: 'hasty' } })
    ).json();
    const redeem = async (replica: number, by = from) =>
      (
        await ask('POST', '/device-grants/redeem', {
          replica,
          from: by,
          payload: { deviceCode: begun.deviceCode },
        })
      ).json().code;
    const codes = [];
    for (let count = 0; count < 30; count += 1) codes.push(await redeem(count % 2));
    const { rows } = await sql.query(
      `select (interval_s - 5) / 5 as slowed from device_grant where name = 'hasty'`,
    );

    expect(codes.slice(0, 5)).toEqual(['authorization_pending', ...Array(4).fill('slow_down')]);
    expect(codes).toContain('rate_limited');
    // The one that finds the limit spent was noted by then, at each replica.
    expect(rows[0].slowed).toBeLessThan(20);
    expect(await redeem(0, '192.0.2.80')).toBe('slow_down');
  });

  it('never count a question that keeps to its interval', async () => {
    const from = '192.0.2.81';
    const begun = (await ask('POST', '/device-grants', { from, payload: { name: 'patient' } })).json();
    const codes = [];
    for (let count = 0; count < 20; count += 1) {
      await sql.query(`update device_grant set asked_at = null where name = 'patient'`);
      const payload = { deviceCode: begun.deviceCode };
      codes.push((await ask('POST', '/device-grants/redeem', { from, payload })).json().code);
    }

    expect(new Set(codes)).toEqual(new Set(['authorization_pending']));
  });

  it('refuse an address that sends bad assertions', async () => {
    const statuses = [];
    for (let count = 0; count < 60; count += 1)
      statuses.push((await exchange('x.y.z', '192.0.2.70')).statusCode);

    expect(statuses.slice(0, 10)).toEqual(Array(10).fill(401));
    expect(statuses).toContain(429);
  });

  it('refuse a broker that asks too often, and none that shares its address', async () => {
    const from = '192.0.2.86';
    const [eager, other] = [await joinBroker(), await joinBroker()];
    const assertions = await Promise.all(Array.from({ length: 60 }, () => eager.assertion()));

    const answers = await Promise.all(assertions.map((assertion) => exchange(assertion, from)));

    const refused = answers.filter(({ statusCode }) => statusCode === 429);
    expect(refused.length).toBeGreaterThan(30);
    expect((await exchange(await other.assertion(), from)).statusCode).toBe(200);
  });

  it('never count a sign-in that found no turn', async () => {
    const user = await makePerson();
    const answers = await Promise.all(Array.from({ length: 80 }, () => signIn(user, '192.0.2.90')));

    const codes = new Set(answers.map((answer) => answer.json().code));
    expect(codes).toEqual(new Set([undefined, 'sign_ins_busy']));
  });

  it('refuse an address that guesses passwords', async () => {
    const statuses = [];
    for (let count = 0; count < 20; count += 1)
      statuses.push((await signIn('nobody', '192.0.2.71', 'a guess of many')).statusCode);

    expect(statuses.slice(0, 5)).toEqual(Array(5).fill(401));
    expect(statuses).toContain(429);
  });

  it('let no more passwords be compared at once than may be wrong, also when there is more again', async () => {
    const from = '192.0.2.89';
    const user = await makePerson();
    let refused = await signIn(user, from, 'a guess of many');
    while (refused.statusCode !== 429) refused = await signIn(user, from, 'a guess of many');
    await asTold(refused);
    const guesses = [...Array<string>(39).fill('a guess of many'), PASSWORD];

    const answers = await Promise.all(guesses.map((password) => signIn(user, from, password)));

    const last = answers.at(-1)!;
    expect(last.json()).toMatchObject({ code: 'rate_limited', limit: 'login' });
    expect(answers.filter(({ statusCode }) => statusCode === 401).length).toBeLessThan(10);
    await asTold(last);
    expect((await signIn(user, from)).statusCode).toBe(201);
  });

  it.each<[string, string, string, () => object]>([
    [
      'invites',
      '192.0.2.82',
      '/invites/redeem',
      () => ({ token: makeOpaque('invite').plain, password: PASSWORD }),
    ],
    [
      'refresh tokens',
      '192.0.2.83',
      '/sessions/refresh',
      () => ({ refreshToken: makeOpaque('refresh').plain }),
    ],
  ])('refuse an address that tries %s, while another signs in', async (_what, from, path, make) => {
    const user = await makePerson();
    const codes = [];
    for (let count = 0; count < 20; count += 1)
      codes.push((await ask('POST', path, { payload: make(), from })).json().code);

    const signedIn = await signIn(user, '192.0.2.84');

    expect(codes).toContain('rate_limited');
    expect(new Set(codes.slice(0, 5))).not.toContain('rate_limited');
    expect(signedIn.statusCode).toBe(201);
  });

  it('refuse a session that guesses the password of its person, there and nowhere else', async () => {
    const user = await makePerson();
    const bearer = (await signIn(user, '192.0.2.88')).json().accessToken;
    const payload = { current: 'a guess of many', password: 'another horse battery' };
    const answers = [];
    for (let count = 0; count < 20; count += 1)
      answers.push((await ask('PUT', '/me/password', { bearer, payload, from: '192.0.2.88' })).json());

    expect(answers.slice(0, 5).map(({ code }) => code)).toEqual(Array(5).fill('sign_in_refused'));
    expect(answers.filter(({ code }) => code === 'rate_limited').map(({ limit }) => limit)).toContain(
      'login',
    );
    expect((await ask('GET', '/me', { bearer })).statusCode).toBe(200);
    expect((await signIn(user, '192.0.2.88')).statusCode).toBe(201);
  });

  it('leave the turns of those who sign in to them, however many invites are tried that nobody has made', async () => {
    const user = await makePerson();
    const tried = Array.from({ length: 100 }, (_, at) =>
      ask('POST', '/invites/redeem', {
        from: `198.51.100.${at}`,
        payload: { token: makeOpaque('invite').plain, password: PASSWORD },
      }),
    );

    const signedIn = await signIn(user, '192.0.2.84');

    expect(signedIn.statusCode).toBe(201);
    const codes = (await Promise.all(tried)).map((answer) => answer.json().code);
    expect(new Set(codes)).toEqual(new Set(['invite_invalid']));
  });

  it.each<['GET' | 'POST', string, string]>([
    ['GET', '/oidc/begin', '203.0.113.1'],
    ['GET', '/oidc/callback?code=x&state=y', '203.0.113.2'],
    ['POST', '/sessions', '203.0.113.3'],
    ['POST', '/device-grants', '203.0.113.4'],
  ])(
    'never count what any web page has the browsers of its visitors send: %s %s',
    async (method, path, from) => {
      const user = await makePerson();
      const codes = [];
      for (let count = 0; count < 30; count += 1) codes.push((await ask(method, path, { from })).json().code);

      expect(codes).not.toContain('rate_limited');
      expect((await signIn(user, from)).statusCode).toBe(201);
    },
  );

  it('never count a refresh that was good', async () => {
    let signed = (await signIn(await makePerson(), '192.0.2.85')).json();
    for (let count = 0; count < 20; count += 1) {
      const payload = { refreshToken: signed.refreshToken };
      signed = (await ask('POST', '/sessions/refresh', { from: '192.0.2.85', payload })).json();
    }

    expect(signed.accessToken).toEqual(expect.any(String));
  });

  it('answer 503 where it cannot be told for what changes something, and go on with what reads', async () => {
    await sql.query('alter table rate_bucket rename to rate_bucket_away');
    try {
      const write = async () => (await ask('POST', '/projects', { bearer: token, payload: {} })).json().code;
      const codes = [];
      for (let count = 0; count < 30; count += 1) codes.push(await write());

      expect(codes).toContain('rate_undecided');
      const reads = await Promise.all(
        Array.from({ length: 100 }, () => ask('GET', '/me', { bearer: token })),
      );
      expect(reads.filter(({ statusCode }) => statusCode >= 500)).toEqual([]);
    } finally {
      await sql.query('alter table rate_bucket_away rename to rate_bucket');
    }
  });

  it('never bring a live probe or the description of the API to refuse', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => replicas[0]!.inject({ method: 'GET', url: '/livez' })),
    );

    expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([200]));
  });
});

describe('a common bucket', () => {
  const limit = { perS: 10, burst: 100 };
  const repository = () => new RateBucketRepository(replicas[0]!.get(Database));

  it('gives its burst once, to whoever asks at the same moment', async () => {
    const bucket = `write ${randomUUID()}`;

    const leases = await Promise.all(Array.from({ length: 30 }, () => repository().lease(bucket, 10, limit)));

    const given = leases.reduce((sum, { lease }) => sum + lease, 0);
    expect(given).toBeGreaterThanOrEqual(100);
    expect(given).toBeLessThanOrEqual(120);
    expect(leases.every(({ tokens }) => tokens >= 0)).toBe(true);
  });

  it('fills up with time by the database’s clock, to its burst and not beyond', async () => {
    const bucket = `write ${randomUUID()}`;
    await repository().lease(bucket, 100, limit);
    const since = async (seconds: number) => {
      await sql.query(
        `update rate_bucket set tokens = 0, filled_at = now() - make_interval(secs => $2) where bucket like $1`,
        [`${bucket} %`, seconds],
      );
      return (await repository().lease(bucket, 1_000, limit)).lease;
    };

    expect(await since(3)).toBe(30);
    expect(await since(86_400)).toBe(100);
    // Set back by somebody: nothing is taken away.
    expect(await since(-60)).toBe(0);
  });

  it('goes on in the next period with what it had left in the one before', async () => {
    const bucket = `write ${randomUUID()}`;
    const slow = { perS: 1, burst: 100 };
    await repository().lease(bucket, 90, slow);
    await sql.query(
      `update rate_bucket set bucket = $1 || ' ' || floor(extract(epoch from now()) / $2::float8) - 1 where bucket like $1 || ' %'`,
      [bucket, FULL_AFTER_S],
    );

    const { lease } = await repository().lease(bucket, 100, slow);

    expect(lease).toBeGreaterThanOrEqual(10);
    expect(lease).toBeLessThan(20);
  });

  it('walks over no versions of older periods, though a transaction keeps each of them', async () => {
    const bucket = `write ${randomUUID()}`;
    const pin = new pg.Client(database.url);
    await pin.connect();
    try {
      await pin.query('begin isolation level repeatable read');
      await pin.query('select txid_current()');
      const pagesForTen = async (periodS: number) => {
        let sum = 0;
        const taken = { lease: 1, tokens: 0 };
        const counting = countingPages(replicas[0]!.get(Database), (pages) => (sum += pages), [taken]);
        const mine = new RateBucketRepository(counting);
        for (let count = 0; count < 10; count += 1) await mine.lease(bucket, 1, limit, periodS);
        return sum;
      };
      // So long that none ends meanwhile.
      const periodS = 1_000 * FULL_AFTER_S;
      const atFirst = await pagesForTen(periodS);
      for (let count = 0; count < 2_000; count += 1) await repository().lease(bucket, 1, limit, periodS);
      const inTheEnd = await pagesForTen(periodS);
      const inAnother = await pagesForTen(2 * periodS);

      expect(inTheEnd).toBeGreaterThan(5 * atFirst);
      expect(inAnother).toBeLessThan(2 * atFirst);
    } finally {
      await pin.end();
    }
  });

  it('is forgotten once it is full, and not before', async () => {
    const [full, used] = [`write ${randomUUID()}`, `write ${randomUUID()}`];
    await repository().lease(full, 1, limit);
    await repository().lease(used, 1, limit);
    await sql.query(`update rate_bucket set filled_at = now() - interval '601 s' where bucket like $1`, [
      `${full} %`,
    ]);

    await replicas[0]!.get(RateLimiter).sweep();

    expect([await buckets(`${full} %`), await buckets(`${used} %`)]).toEqual([[], [expect.any(Object)]]);
  });

  it('is written where it stands: no index has to be', async () => {
    const bucket = `write ${randomUUID()}`;
    for (let count = 0; count < 50; count += 1) await repository().lease(bucket, 1, limit);
    await sql.query('select pg_stat_force_next_flush()').catch(() => undefined);

    const { rows } = await sql.query(
      `select indexrelname from pg_stat_user_indexes where relname = 'rate_bucket'`,
    );

    expect(rows).toEqual([{ indexrelname: 'rate_bucket_is_one_a_caller' }]);
  });
});
