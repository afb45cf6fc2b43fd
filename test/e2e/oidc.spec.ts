import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Api } from '../support/api.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { Browser, OpenIdProvider } from '../support/openid-provider.js';
import { Page } from '../support/page.js';

let provider: OpenIdProvider;
let cluster: Cluster;
let admin: Api;
let issuer: string;

const environment = () => ({
  FAIRLEAD_OIDC_ISSUER: issuer,
  FAIRLEAD_OIDC_CLIENT_ID: 'fairlead',
  FAIRLEAD_OIDC_CLIENT_SECRET: provider.clientSecret,
  FAIRLEAD_OIDC_ALLOW: 'corp.test, guest@other.test',
});

beforeAll(async () => {
  provider = await OpenIdProvider.listen();
  cluster = await Cluster.start(0);
  issuer = provider.issuer;
  await Promise.all([cluster.addReplica(environment()), cluster.addReplica(environment())]);
  provider.serve(cluster.hubs.map(({ url }) => `${url}/api/v1/oidc/callback`));
  admin = cluster.api(0);
});

afterAll(async () => {
  await provider.close();
  await cluster.stop();
  await expectNoLeaks();
});

const hubs = () => cluster.hubs.map(({ url }) => url);
const begin = (browser: Browser, to = 'done') => browser.go(`${hubs()[0]}/api/v1/oidc/begin?to=${to}`);

/** Up to where the provider sends the browser back to the hub. */
async function comeBack(login: string, browser = new Browser(), to = 'done') {
  const { next } = await begin(browser, to);
  return { browser, back: await browser.signIn(next, login, hubs()) };
}

async function signIn(login: string, to = 'done') {
  const { browser, back } = await comeBack(login, undefined, to);
  const { status, next, text } = await browser.go(back);
  const body = text === '' ? undefined : JSON.parse(text);
  return { status, next, code: body?.code, cookies: browser.cookies(hubs()[0]!) };
}

/** Whom the hub takes a browser for, at any replica. */
async function me(cookies: Map<string, string>, replica = 1) {
  const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  return (await (await fetch(`${hubs()[replica]}/api/v1/me`, { headers: { cookie } })).json()) as any;
}

/** Somebody at the provider. @returns what they log in as there */
function person(email: string | undefined, isVerified = true): string {
  const login = `p-${randomUUID()}`;
  provider.accounts.set(login, { ...(email === undefined ? {} : { email }), email_verified: isVerified });
  return login;
}

/** Whether somebody waits for what another transaction has written. */
async function isHeldUp(url: string): Promise<boolean> {
  const client = new pg.Client(url);
  await client.connect();
  const { rowCount } = await client
    .query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
       and query like '%user_identity%'`,
    )
    .finally(() => client.end());
  return rowCount === 1;
}

describe('a sign-in by OpenID Connect', () => {
  it('asks the provider with PKCE, state and nonce, for what it needs and no more', async () => {
    const { status, next } = await begin(new Browser());
    const other = await begin(new Browser());

    const asked = new URL(next).searchParams;
    expect(status).toBe(302);
    expect(Object.fromEntries(asked)).toMatchObject({
      response_type: 'code',
      scope: 'openid email',
      code_challenge_method: 'S256',
      redirect_uri: `${hubs()[0]}/api/v1/oidc/callback`,
    });
    for (const name of ['state', 'nonce', 'code_challenge']) {
      expect(asked.get(name)?.length).toBeGreaterThan(40);
      expect(asked.get(name)).not.toBe(new URL(other.next).searchParams.get(name));
    }
  });

  it('makes a member of somebody whose domain is on the list, who is the same the next time', async () => {
    const local = `Ada.${randomUUID().slice(0, 8)}`;
    const login = person(`${local}@Corp.Test`);

    const first = await signIn(login);
    provider.accounts.set(login, { email: 'renamed@elsewhere.test', email_verified: false });
    const second = await signIn(login);

    expect([first.status, first.next]).toEqual([303, `${hubs()[0]}/signed-in`]);
    expect(await me(first.cookies)).toMatchObject({
      name: local.toLowerCase().replace('.', '-'),
      role: 'member',
    });
    expect((await me(second.cookies)).userId).toBe((await me(first.cookies)).userId);
    expect([...first.cookies.keys()]).toEqual(['fairlead-session']);
    const { userId } = await me(first.cookies);
    const { body } = await admin.get(`/api/v1/audit?actor=${userId}`);
    expect(body.items.map(({ act }: any) => act)).toEqual([
      'session.begin',
      'session.begin',
      'user.link',
      'user.create',
    ]);
    expect((await admin.get(`/api/v1/users/${userId}`)).body.email).toBe(`${local}@corp.test`.toLowerCase());
  });

  it('takes somebody for the user with their address, in whatever case, whom an administrator has made', async () => {
    const name = `u-${randomUUID()}`;
    const { body: user } = await admin.post('/api/v1/users', {
      name,
      email: `${name}@unlisted.test`,
      role: 'admin',
    });

    const { cookies } = await signIn(person(`${name}@UNLISTED.test`.toUpperCase().replace(/^U/, 'u')));

    expect(await me(cookies)).toMatchObject({ userId: user.id, role: 'admin' });
  });

  it('takes the one address on the list, and none beside it', async () => {
    const statuses = [];
    for (const email of ['GUEST@other.test', 'other@other.test', 'x@sub.corp.test'])
      statuses.push((await signIn(person(email))).code);

    expect(statuses).toEqual([undefined, 'not_listed', 'not_listed']);
  });

  it.each<[string, boolean | undefined, boolean | undefined, number]>([
    ['told in the token', true, undefined, 303],
    ['told when it is asked', undefined, true, 303],
    ['denied when it is asked', undefined, false, 403],
    ['denied in the token', false, true, 403],
    ['told nowhere', undefined, undefined, 403],
  ])(
    'takes the address in a token where it is verified, which is %s',
    async (_what, inToken, whenAsked, status) => {
      const email = `u-${randomUUID()}@corp.test`;
      const claims = (isVerified: boolean | undefined) => ({
        email,
        ...(isVerified === undefined ? {} : { email_verified: isVerified }),
      });
      provider.accounts.set(email, { inToken: claims(inToken), ...claims(whenAsked) });

      expect((await signIn(email)).status).toBe(status);
    },
  );

  it.each([
    ['that the provider has not verified', 'x@corp.test', false],
    ['that is none', 'not an address', true],
    ['that is not told', undefined, true],
  ])('does not take an address %s', async (_what, email, isVerified) => {
    const { status, code, cookies } = await signIn(person(email, isVerified));

    expect([status, code]).toEqual([403, 'email_unverified']);
    expect([...cookies.keys()]).not.toContain('fairlead-session');
  });

  it('does not take somebody for the user whose address they were given after another', async () => {
    const email = `u-${randomUUID()}@corp.test`;
    await signIn(person(email));

    const { status, code } = await signIn(person(email));

    expect([status, code]).toEqual([409, 'identity_taken']);
  });

  it('is that of who is known by the subject by now, where another sign-in of it was faster', async () => {
    const name = `u-${randomUUID()}`;
    const { body: user } = await admin.post('/api/v1/users', { name, email: `${name}@corp.test` });
    const login = person(user.email);
    const { browser, back } = await comeBack(login);
    const faster = new pg.Client(cluster.database.url);
    await faster.connect();
    await faster.query('begin');
    await faster.query('insert into user_identity (issuer, subject, user_id) values ($1, $2, $3)', [
      issuer,
      login,
      user.id,
    ]);

    const slower = browser.go(back);
    await eventually(() => isHeldUp(cluster.database.url)).finally(() => faster.query('commit'));
    await faster.end();

    expect((await slower).status).toBe(303);
    expect(await me(browser.cookies(hubs()[0]!))).toMatchObject({ userId: user.id });
    const { body } = await admin.get(`/api/v1/audit?actor=${user.id}`);
    expect(body.items.map(({ act }: any) => act)).toEqual(['session.begin']);
  });

  it('makes one user of somebody who comes for the first time in several browsers at once', async () => {
    const login = person(`u-${randomUUID()}@corp.test`);
    const coming = [await comeBack(login), await comeBack(login), await comeBack(login)];

    const came = await Promise.all(coming.map(({ browser, back }) => browser.go(back)));

    expect(came.map(({ status }) => status)).toEqual([303, 303, 303]);
    const known = await Promise.all(coming.map(({ browser }) => me(browser.cookies(hubs()[0]!))));
    expect(new Set(known.map(({ userId }) => userId)).size).toBe(1);
  });

  it('does not let in whom the hub has disabled', async () => {
    const login = person(`u-${randomUUID()}@corp.test`);
    const { userId } = await me((await signIn(login)).cookies);
    await admin.call('DELETE', `/api/v1/users/${userId}`);

    const { status, code } = await signIn(login);

    expect([status, code]).toEqual([401, 'sign_in_refused']);
  });

  it('comes back at another replica as well', async () => {
    const { browser, back } = await comeBack(person(`u-${randomUUID()}@corp.test`));
    const [one, other] = hubs() as [string, string];
    for (const [name, value] of browser.cookies(one)) browser.cookies(other).set(name, value);

    const { status } = await browser.go(back.replace(one, other));

    expect(status).toBe(303);
  });

  it.each<[string, (back: URL, browser: Browser) => void]>([
    ['in another browser', (back, browser) => browser.cookies(back.origin).clear()],
    ['with another state', (back) => back.searchParams.set('state', 'x'.repeat(43))],
    ['with another code', (back) => back.searchParams.set('code', 'x'.repeat(43))],
    ['from another issuer', (back) => back.searchParams.set('iss', 'https://evil.test')],
    ['without anything', (back) => (back.search = '')],
  ])('that comes back %s is refused', async (_what, change) => {
    const { browser, back } = await comeBack(person(`u-${randomUUID()}@corp.test`));
    const changed = new URL(back);
    change(changed, browser);

    const { status, text } = await browser.go(changed.href);

    expect([status, JSON.parse(text).code]).toEqual([401, 'provider_refused']);
    expect([...browser.cookies(changed.origin).keys()]).not.toContain('fairlead-session');
  });

  it('is good once', async () => {
    const { browser, back } = await comeBack(person(`u-${randomUUID()}@corp.test`));
    const kept = new Map(browser.cookies(hubs()[0]!));
    await browser.go(back);
    for (const [name, value] of kept) browser.cookies(hubs()[0]!).set(name, value);

    const { status, text } = await browser.go(back);

    expect([status, JSON.parse(text).code]).toEqual([401, 'provider_refused']);
  });

  it('is told when the provider says no', async () => {
    const browser = new Browser();
    const { next } = await begin(browser);
    const state = new URL(next).searchParams.get('state');

    const back = `${hubs()[0]}/api/v1/oidc/callback?error=access_denied&state=${state}&iss=${issuer}`;
    const { status, text } = await browser.go(back);

    expect([status, JSON.parse(text).code]).toEqual([401, 'provider_refused']);
  });

  it('sends nobody anywhere but to pages of the hub', async () => {
    const { status, text } = await new Browser().go(`${hubs()[0]}/api/v1/oidc/begin?to=https://evil.test`);

    expect([status, JSON.parse(text).code]).toEqual([400, 'request_invalid']);
  });

  it('lets a program in on the page of device grants, with the cookie alone, and signs out', async () => {
    const { cookies, next } = await signIn(person(`u-${randomUUID()}@corp.test`), 'device');
    const begun = await (
      await fetch(`${hubs()[0]}/api/v1/device-grants`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'a test' }),
      })
    ).json();
    const page = await Page.open(`${next}#${(begun as any).userCode}`, cookies);

    const who = await page.does({}, 'form', 'submit');
    const done = await page.does({}, 'approve', 'click');
    const signedIn = await Page.open(`${hubs()[0]}/signed-in`, cookies);
    const left = await signedIn.does({}, 'leave', 'click');

    expect(who).toContain('a test');
    expect(done).toContain('It is let in');
    expect(left).toBe('You are signed out.');
    expect((await me(cookies)).code).toBe('credential_missing');
  });
});

describe('a sign-in while the provider is away', () => {
  it('is told to try again, and is neither let in nor refused', async () => {
    const { browser, back } = await comeBack(person(`u-${randomUUID()}@corp.test`));
    await provider.close();

    const late = await browser.go(back);
    const fresh = await cluster.addReplica(environment());
    const early = await new Browser().go(`${fresh.url}/api/v1/oidc/begin`);

    expect([late, early].map(({ status, text }) => [status, JSON.parse(text).code])).toEqual([
      [503, 'provider_unavailable'],
      [503, 'provider_unavailable'],
    ]);
  });
});
