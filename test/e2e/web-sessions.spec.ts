import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
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

type Browser = { id: string; name: string; cookie: string; sessionId: string; csrfToken: string };

/** What a browser sends, with the cookie that it has, and no more than is asked for. */
async function send(
  method: string,
  path: string,
  { replica = 0, body, ...headers }: { replica?: number; body?: object; [header: string]: unknown } = {},
) {
  const response = await fetch(`${cluster.hub(replica).url}/api/v1${path}`, {
    method,
    headers: {
      ...(headers as Record<string, string>),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    cookies: response.headers.getSetCookie(),
    body: text === '' ? undefined : JSON.parse(text),
  };
}

const code = ({ status, body }: { status: number; body: any }) => [status, body?.code];
const origin = (replica = 0) => cluster.hub(replica).url;
/** All that a page of the hub shows. */
const proof = ({ cookie, csrfToken }: Browser, replica = 0) => ({
  replica,
  cookie,
  origin: origin(replica),
  'x-csrf-token': csrfToken,
});
const signIn = (user: string, headers: object = { origin: origin() }) =>
  send('POST', '/web-sessions', { body: { user, password: PASSWORD }, ...headers });

async function makePerson(): Promise<{ id: string; name: string }> {
  const { body: user } = await admin.post('/api/v1/users', { name: `u-${randomUUID()}` });
  const { body: invite } = await admin.post(`/api/v1/users/${user.id}/invites`, {});
  await send('POST', '/invites/redeem', { body: { token: invite.token, password: PASSWORD } });
  return user;
}

async function open(): Promise<Browser> {
  const { id, name } = await makePerson();
  const { status, cookies, body } = await signIn(name);
  expect(status).toBe(201);
  return { id, name, ...body, cookie: String(/^[^;]+/.exec(cookies[0] ?? '')) };
}

describe('a session of a browser', () => {
  it('is in a cookie that no script sees and every replica reads', async () => {
    const { name } = await makePerson();

    const { cookies, body } = await signIn(name);
    const cookie = String(/^[^;]+/.exec(cookies[0] ?? ''));
    const answers = await Promise.all([0, 1].map((replica) => send('GET', '/me', { replica, cookie })));

    expect(cookies).toEqual([expect.stringMatching(/; HttpOnly; SameSite=Strict$/)]);
    expect(Object.keys(body).sort()).toEqual(['csrfToken', 'sessionId']);
    expect(answers.map((answer) => [answer.status, answer.body.name])).toEqual([0, 1].map(() => [200, name]));
    expect(cookie).not.toContain(Buffer.from(body.sessionId).toString('base64url'));
  });

  it('changes something at any replica, with the proof that a page of the hub has asked for it', async () => {
    const browser = await open();
    const body = { name: 'by a page' };
    const { cookie, csrfToken } = browser;
    const without: Record<string, object> = {
      anything: { cookie },
      'a token': { cookie, origin: origin() },
      'an origin': { cookie, 'x-csrf-token': csrfToken },
      'its own origin': { cookie, origin: 'https://evil.example', 'x-csrf-token': csrfToken },
      'its own token': { cookie, origin: origin(), 'x-csrf-token': (await open()).csrfToken },
    };

    const made = [];
    for (const replica of [0, 1])
      made.push(await send('POST', '/tokens', { body, ...proof(browser, replica) }));
    const refused = [];
    for (const headers of Object.values(without))
      refused.push(await send('POST', '/tokens', { body, ...headers }));

    expect(made.map(({ status }) => status)).toEqual([201, 201]);
    expect(refused.map(code)).toEqual(refused.map(() => [403, 'csrf_refused']));
    const { rows } = await sql.query('select id from personal_token where user_id = $1', [browser.id]);
    expect(rows).toHaveLength(2);
  });

  it('tells its pages the token again, and nobody else', async () => {
    const { cookie, csrfToken, sessionId } = await open();

    const current = await send('GET', '/web-sessions/current', { cookie });
    const byToken = await admin.get('/api/v1/web-sessions/current');

    expect(current.body).toEqual({ sessionId, csrfToken });
    expect(byToken.status).toBe(404);
  });

  it.each([{}, { origin: 'https://evil.example' }, { origin: 'null' }])(
    'is not begun for a page of another origin: %j',
    async (headers) => {
      const { id, name } = await makePerson();
      const answer = await signIn(name, headers);

      expect(code(answer)).toEqual([403, 'csrf_refused']);
      expect(answer.cookies).toEqual([]);
      const { rows } = await sql.query('select id from user_session where user_id = $1', [id]);
      // The one by which the password was set.
      expect(rows).toHaveLength(1);
    },
  );

  it('has ended on every replica within a second of the logout, and the browser forgets its cookie', async () => {
    const browser = await open();
    const status = async (replica: number) =>
      (await send('GET', '/me', { replica, cookie: browser.cookie })).status;
    expect([await status(0), await status(1)]).toEqual([200, 200]);

    const left = await send('DELETE', '/web-sessions/current', proof(browser));

    expect([left.status, left.cookies[0]]).toEqual([
      204,
      expect.stringMatching(/^fairlead-session=; .*Max-Age=0/),
    ]);
    expect(await status(0)).toBe(401);
    await eventually(async () => (await status(1)) === 401, { withinMs: 1_000 });
  });

  it('ends with all others of its person, on every replica within a second', async () => {
    const browsers = [await open()];
    const { body, cookies } = await signIn(browsers[0]!.name);
    browsers.push({ ...browsers[0]!, ...body, cookie: String(/^[^;]+/.exec(cookies[0] ?? '')) });
    const statuses = () =>
      Promise.all(
        browsers.map(async ({ cookie }) => (await send('GET', '/me', { replica: 1, cookie })).status),
      );
    expect(await statuses()).toEqual([200, 200]);

    await send('DELETE', '/sessions', proof(browsers[0]!));

    await eventually(async () => (await statuses()).every((status) => status === 401), { withinMs: 1_000 });
  });

  it('is not to be had with what no replica has sealed, and does not stand in for a bad bearer', async () => {
    const { cookie } = await open();
    const changed = cookie.replace(/=(.)/, (_, first) => (first === 'A' ? '=B' : '=A'));
    const shown = [
      { cookie: changed },
      { cookie: 'fairlead-session=x' },
      { cookie: 'fairlead-session=' },
      { cookie, authorization: `Bearer flp_${'x'.repeat(43)}` },
      { cookie, authorization: 'Basic eDp5' },
    ];

    const answers = [];
    for (const headers of shown) answers.push(await send('GET', '/me', headers));

    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 401));
  });
});

describe('a hub without an OpenID provider', () => {
  it('says so', async () => {
    const [served, begun] = [await send('GET', '/oidc'), await send('GET', '/oidc/begin')];

    expect(served.body).toEqual({ isServed: false });
    expect(code(begun)).toEqual([404, 'not_found']);
  });
});
