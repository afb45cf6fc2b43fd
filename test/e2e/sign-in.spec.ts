import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SignJWT, generateKeyPair } from 'jose';
import pg from 'pg';
import { Api } from '../support/api.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';

const PASSWORD = 'correct horse battery';

let cluster: Cluster;
let sql: pg.Client;
let admin: Api;

beforeAll(async () => {
  cluster = await Cluster.start(2);
  admin = cluster.api(0);
  sql = new pg.Client(cluster.database.url);
  await sql.connect();
});

afterAll(async () => {
  await sql.end();
  await cluster.stop();
  await expectNoLeaks();
});

type Signed = { sessionId: string; accessToken: string; refreshToken: string };

const post = (path: string, body: object, replica = 0) =>
  new Api(cluster.hub(replica).url, '').call('POST', `/api/v1${path}`, body, { authorization: '' });
const refresh = (refreshToken: string, replica = 0) => post('/sessions/refresh', { refreshToken }, replica);
const as = ({ accessToken }: Signed, replica = 0) => new Api(cluster.hub(replica).url, accessToken);
const code = ({ status, body }: { status: number; body: any }) => [status, body?.code];

/** Somebody with a password, who has signed in by setting it. */
async function makePerson(): Promise<{ id: string; name: string; email: string; signed: Signed }> {
  const name = `u-${randomUUID()}`;
  const { body: user } = await admin.post('/api/v1/users', { name, email: `${name}@example.com` });
  const { body: invite } = await admin.post(`/api/v1/users/${name}/invites`, {});
  const redeemed = await post('/invites/redeem', { token: invite.token, password: PASSWORD });
  expect(redeemed.status).toBe(201);
  return { ...user, signed: redeemed.body };
}

describe('a session that begins', () => {
  it('is in the audit, whichever way its person has come', async () => {
    const { body: user } = await admin.post('/api/v1/users', { name: `u-${randomUUID()}` });
    const { body: invite } = await admin.post(`/api/v1/users/${user.id}/invites`, {});
    const begun = [
      await post('/invites/redeem', { token: invite.token, password: PASSWORD }),
      await post('/sessions', { user: user.name, password: PASSWORD }),
    ];

    const { body } = await admin.get(`/api/v1/audit?actor=${user.id}&act=session.begin`);

    expect(body.items.map(({ subject }: any) => subject.id)).toEqual(
      begun.map(({ body: { sessionId } }) => sessionId).reverse(),
    );
  });
});

describe('an invite', () => {
  it('sets a password once, and signs in', async () => {
    const { body: user } = await admin.post('/api/v1/users', { name: `u-${randomUUID()}` });
    const { body: invite } = await admin.post(`/api/v1/users/${user.id}/invites`, {});

    const both = await Promise.all(
      [0, 1].map((replica) => post('/invites/redeem', { token: invite.token, password: PASSWORD }, replica)),
    );

    expect(both.map(({ status }) => status).sort()).toEqual([201, 401]);
    const won: Signed = both.find(({ status }) => status === 201)?.body;
    expect((await as(won).get('/api/v1/me')).body).toMatchObject({ name: user.name, role: 'member' });
  });

  it('is good no more once its time is over, another was made, or its user is disabled', async () => {
    const users = await Promise.all(
      [1, 2, 3].map(async () => (await admin.post('/api/v1/users', { name: `u-${randomUUID()}` })).body.id),
    );
    const invites = await Promise.all(
      users.map(async (user) => (await admin.post(`/api/v1/users/${user}/invites`, {})).body),
    );
    await sql.query('update invite set expires_at = now() where id = $1', [invites[0].id]);
    await admin.post(`/api/v1/users/${users[1]}/invites`, {});
    await admin.call('DELETE', `/api/v1/users/${users[2]}`);

    const answers = [];
    for (const { token } of invites)
      answers.push(await post('/invites/redeem', { token, password: PASSWORD }));

    expect(answers.map(code)).toEqual(answers.map(() => [401, 'invite_invalid']));
  });

  it.each([11, 257])('does not take a password of %d characters', async (length) => {
    const answer = await post('/invites/redeem', { token: 'fli_x', password: 'x'.repeat(length) });

    expect(code(answer)).toEqual([400, 'request_invalid']);
  });
});

describe('a sign-in', () => {
  it('is by name or address, in whatever case, at any replica', async () => {
    const { name, email } = await makePerson();

    const answers = [
      await post('/sessions', { user: name, password: PASSWORD }),
      await post('/sessions', { user: email.toUpperCase(), password: PASSWORD }, 1),
    ];

    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
    expect((await as(answers[0]?.body, 1).get('/api/v1/me')).body.name).toBe(name);
  });

  it('tells nobody what was wrong', async () => {
    const { name } = await makePerson();
    const disabled = await makePerson();
    await admin.call('DELETE', `/api/v1/users/${disabled.id}`);
    const { body: fresh } = await admin.post('/api/v1/users', { name: `u-${randomUUID()}` });

    const answers = [
      await post('/sessions', { user: name, password: `${PASSWORD}!` }),
      await post('/sessions', { user: 'nobody', password: PASSWORD }),
      await post('/sessions', { user: disabled.name, password: PASSWORD }),
      await post('/sessions', { user: fresh.name, password: '' }),
    ];

    const told = answers.map(({ status, body: { requestId: _id, ...problem } }) => ({ status, problem }));
    expect(told).toEqual(told.map(() => told[0]));
    expect(code(answers[0]!)).toEqual([401, 'sign_in_refused']);
  });

  it('of one person leaves the fifty newest sessions', async () => {
    const { id, name, signed } = await makePerson();
    await sql.query(
      `insert into user_session (id, user_id, expires_at)
       select gen_random_uuid(), $1, now() + interval '1 day' from generate_series(1, 49)`,
      [id],
    );
    await sql.query(`update user_session set id = '00000000-0000-7000-8000-000000000000' where id = $1`, [
      (
        await sql.query('select id from user_session where user_id = $1 and id <> $2 limit 1', [
          id,
          signed.sessionId,
        ])
      ).rows[0].id,
    ]);

    await post('/sessions', { user: name, password: PASSWORD });

    const { rows } = await sql.query('select id from user_session where user_id = $1 and ended_at is null', [
      id,
    ]);
    expect(rows).toHaveLength(50);
    expect(rows.map((row) => row.id)).not.toContain('00000000-0000-7000-8000-000000000000');
  });
});

describe('while another password is being set', () => {
  type Person = Awaited<ReturnType<typeof makePerson>>;

  const isHeldUp = async () => {
    const { rowCount } = await sql.query(
      `select from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock' and query like '%user_password%'`,
    );
    return rowCount === 1;
  };

  it.each<[string, (person: Person) => Promise<{ status: number; body: any }>]>([
    ['a sign-in', ({ name }) => post('/sessions', { user: name, password: PASSWORD })],
    [
      'a sign-in in a browser',
      ({ name: user }) => {
        const { url } = cluster.hub(0);
        const proof = { authorization: '', origin: url };
        return new Api(url, '').post('/api/v1/web-sessions', { user, password: PASSWORD }, proof);
      },
    ],
    [
      'a change',
      ({ signed }) => {
        const body = { current: PASSWORD, password: 'another horse battery' };
        return as(signed).call('PUT', '/api/v1/me/password', body);
      },
    ],
  ])('%s by the one before waits, and is refused', async (_what, ask) => {
    const person = await makePerson();
    const setting = new pg.Client(cluster.database.url);
    await setting.connect();
    await setting.query('begin');
    await setting.query(`update user_password set hash = 'of another' where user_id = $1`, [person.id]);

    const asked = ask(person);
    await eventually(isHeldUp)
      .finally(() => setting.query('commit'))
      .finally(() => setting.end());

    expect(code(await asked)).toEqual([401, 'sign_in_refused']);
    const { rows } = await sql.query(
      `select session.id, password.hash from user_session session join user_password password using (user_id)
       where user_id = $1 and ended_at is null`,
      [person.id],
    );
    // The one by which it was set.
    expect(rows).toEqual([{ id: person.signed.sessionId, hash: 'of another' }]);
  });
});

describe('a refresh token', () => {
  it('gives the next pair, at any replica', async () => {
    const { signed } = await makePerson();

    const second = await refresh(signed.refreshToken, 1);
    const third = await refresh(second.body.refreshToken);

    expect([second.status, third.status]).toEqual([200, 200]);
    expect((await as(third.body).get('/api/v1/me')).status).toBe(200);
  });

  it('gives another pair to who has lost the answer, as often as that is', async () => {
    const { signed } = await makePerson();
    for (let lost = 0; lost < 3; lost += 1) await refresh(signed.refreshToken, lost % 2);

    const got = await refresh(signed.refreshToken);
    const next = await refresh(got.body.refreshToken, 1);

    expect([got.status, next.status]).toEqual([200, 200]);
  });

  it('that is shown at two replicas at once is good at both, and one of the two chains goes on', async () => {
    const { signed } = await makePerson();
    const both = await Promise.all([0, 1].map((replica) => refresh(signed.refreshToken, replica)));

    const goesOn = await refresh(both[1]?.body.refreshToken);

    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    expect(goesOn.status).toBe(200);
  });

  it.each<[string, (chain: string[]) => string | undefined]>([
    ['whose successor was used', (chain) => chain[0]],
    ['that was given beside one that was used', (chain) => chain[3]],
  ])('%s ends the session wherever it is, when it is shown again', async (_what, pick) => {
    const { id, signed } = await makePerson();
    const [second, beside] = [await refresh(signed.refreshToken), await refresh(signed.refreshToken)];
    const third = await refresh(second.body.refreshToken);
    const chain = [signed, second.body, third.body, beside.body].map(({ refreshToken }) => refreshToken);
    expect((await as(third.body, 1).get('/api/v1/me')).status).toBe(200);

    const reused = await refresh(String(pick(chain)), 1);

    expect(code(reused)).toEqual([401, 'credential_invalid']);
    expect(code(await refresh(third.body.refreshToken))).toEqual([401, 'credential_invalid']);
    for (const replica of [0, 1]) {
      const status = async () => (await as(third.body, replica).get('/api/v1/me')).status;
      await eventually(async () => (await status()) === 401, { withinMs: 1_000 });
    }
    const { body } = await admin.get(`/api/v1/audit?actor=${id}&act=session.reuse`);
    expect(body.items).toMatchObject([{ subject: { kind: 'session', id: signed.sessionId } }]);
  });

  it('is good for as long as its session, and its user is let in', async () => {
    const [ended, expired, disabled] = [await makePerson(), await makePerson(), await makePerson()];
    await as(ended.signed).call('DELETE', `/api/v1/sessions/${ended.signed.sessionId}`);
    await sql.query('update user_session set expires_at = now() where id = $1', [expired.signed.sessionId]);
    await admin.call('DELETE', `/api/v1/users/${disabled.id}`);

    const answers = [];
    for (const { signed } of [ended, expired, disabled]) answers.push(await refresh(signed.refreshToken));

    expect(answers.map(code)).toEqual(answers.map(() => [401, 'credential_invalid']));
  });

  it.each(['', 'flr_x', 'flp_x', `flr_${'A'.repeat(43)}`])('that is %j is refused', async (token) => {
    expect(code(await refresh(token))).toEqual([401, 'credential_invalid']);
  });

  it('is kept as a hash, and no route takes it as a bearer', async () => {
    const { signed } = await makePerson();

    const { rows } = await sql.query(`select token::text as row from refresh_token token`);

    expect(rows.filter(({ row }) => row.includes(Buffer.from(signed.refreshToken).toString('hex')))).toEqual(
      [],
    );
    const answer = await new Api(cluster.hub(0).url, signed.refreshToken).get('/api/v1/me');
    expect(code(answer)).toEqual([401, 'credential_invalid']);
  });
});

describe('a session', () => {
  it('is ended by its holder, with all others or alone, and by an administrator, on every replica', async () => {
    const { id, name, signed } = await makePerson();
    const other: Signed = (await post('/sessions', { user: name, password: PASSWORD })).body;
    const listed = await as(signed).get('/api/v1/sessions');
    const status = async (one: Signed) => (await as(one, 1).get('/api/v1/me')).status;
    expect([await status(signed), await status(other)]).toEqual([200, 200]);

    await as(signed).call('DELETE', `/api/v1/sessions/${other.sessionId}`);
    await eventually(async () => (await status(other)) === 401, { withinMs: 1_000 });
    const still = await status(signed);
    await admin.call('DELETE', `/api/v1/users/${id}/sessions`);

    expect(listed.body.items.map((row: any) => [row.id, row.isCurrent])).toEqual([
      [other.sessionId, false],
      [signed.sessionId, true],
    ]);
    expect(still).toBe(200);
    await eventually(async () => (await status(signed)) === 401, { withinMs: 1_000 });
  });

  it('is not ended by somebody else', async () => {
    const [one, other] = [await makePerson(), await makePerson()];

    const answer = await as(other.signed).call('DELETE', `/api/v1/sessions/${one.signed.sessionId}`);

    expect(code(answer)).toEqual([404, 'not_found']);
    expect((await as(one.signed).get('/api/v1/me')).status).toBe(200);
  });

  it('goes on when its holder changes the password, and the others end', async () => {
    const { name, signed } = await makePerson();
    const other: Signed = (await post('/sessions', { user: name, password: PASSWORD })).body;
    const change = (current: string) =>
      as(signed).call('PUT', '/api/v1/me/password', { current, password: 'another horse battery' });

    const wrong = await change('wrong');
    const right = await change(PASSWORD);

    expect([code(wrong), right.status]).toEqual([[401, 'sign_in_refused'], 204]);
    expect((await as(signed).get('/api/v1/me')).status).toBe(200);
    await eventually(async () => (await as(other, 1).get('/api/v1/me')).status === 401, { withinMs: 1_000 });
    expect((await post('/sessions', { user: name, password: PASSWORD })).status).toBe(401);
  });

  it('is not to be had with an access token that the hub has not signed', async () => {
    const { signed } = await makePerson();
    const parts = signed.accessToken.split('.').map((part) => Buffer.from(part, 'base64url').toString());
    const [head, claims] = parts.slice(0, 2).map((part) => JSON.parse(part));
    const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
    const forged = await new SignJWT(claims).setProtectedHeader(head).sign(privateKey);
    const unsigned = `${signed.accessToken.split('.').slice(0, 2).join('.')}.`;

    const answers = [];
    for (const token of [forged, unsigned, 'a.b.c', `${signed.accessToken}x`])
      answers.push(await new Api(cluster.hub(0).url, token).get('/api/v1/me'));

    expect(claims.exp - claims.iat).toBe(15 * 60);
    expect(answers.map(code)).toEqual(answers.map(() => [401, 'credential_invalid']));
  });
});
