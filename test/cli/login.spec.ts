import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { expectNoLeaks } from '../support/leaks.js';
import { makeHome, runCli, TOKEN } from './support/run-cli.js';
import { problem, ScriptedHub, type Answer } from './support/scripted-hub.js';

const ME = { kind: 'person', userId: 'user-1', name: 'admin', role: 'admin', credentialId: 'token-1' };

let user: ReturnType<typeof makeHome>;
let hub: ScriptedHub;
let home: string;
const opened: ScriptedHub[] = [];

beforeEach(() => {
  user = makeHome();
  home = join(user.path, 'fairlead');
});

afterEach(async () => {
  user.remove();
  await Promise.all(opened.splice(0).map((each) => each.close()));
});

afterAll(() => expectNoLeaks());

const env = () => ({ FAIRLEAD_HOME: home });
const file = () => join(home, 'credentials.json');

async function open(...answers: Answer[]): Promise<ScriptedHub> {
  const made = await ScriptedHub.open(...answers);
  opened.push(made);
  return made;
}

async function logIn(...answers: Answer[]) {
  hub = await open(...answers);
  return runCli(['login', hub.url, '--token', TOKEN], { env: env() });
}

describe('login', () => {
  it('keeps a token that the hub takes, for its owner alone', async () => {
    const ran = await logIn({ body: ME });

    expect(ran).toMatchObject({ code: 0, out: `Logged in to ${hub.url} as admin (admin).\n` });
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({ url: hub.url, token: TOKEN });
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(statSync(home).mode & 0o777).toBe(0o700);
  });

  it('keeps nothing of a token that the hub refuses', async () => {
    const ran = await logIn(problem('credential_invalid'));

    expect(ran.code).toBe(3);
    expect(existsSync(file())).toBe(false);
  });

  it.each(['flp_...', '<the token>', 'YOUR_TOKEN'])(
    'keeps the token that it has where it is told %j in its place, which the hub refuses (pitfall 35)',
    async (placeholder) => {
      await logIn({ body: ME });
      const before = readFileSync(file(), 'utf8');
      hub = await open(problem('credential_invalid'));

      const ran = await runCli(['login', hub.url, '--token', placeholder], { env: env() });

      expect([2, 3]).toContain(ran.code);
      expect(readFileSync(file(), 'utf8')).toBe(before);
    },
  );

  it('is what later commands go by', async () => {
    await logIn({ body: ME });

    const ran = await runCli(['whoami', '--json'], { env: env() });

    expect(ran.json()).toEqual(ME);
  });

  it('takes the token from a pipe, so that it is in nobody’s list of processes', async () => {
    hub = await open({ body: ME });

    const ran = await runCli(['login', hub.url], { env: env(), stdin: `${TOKEN}\n` });

    expect(ran.code).toBe(0);
    expect(hub.asked[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`);
    expect(ran.out + ran.err).not.toContain(TOKEN);
  });

  it('takes the token from a file', async () => {
    hub = await open({ body: ME });
    writeFileSync(join(user.path, 'token'), `${TOKEN}\n`);

    const ran = await runCli(['login', hub.url, '--token-file', join(user.path, 'token')], { env: env() });

    expect(ran.code).toBe(0);
  });

  it('ends with 2 where there is no token to be had', async () => {
    const ran = await runCli(['login', 'http://127.0.0.1:1'], { env: env() });

    expect(ran.code).toBe(2);
  });

  it('does not take an address with a credential in it', async () => {
    const ran = await runCli(['login', 'http://me:hunter2@127.0.0.1:1', '--token', TOKEN], { env: env() });

    expect(ran.code).toBe(2);
    expect(ran.err).not.toContain('hunter2');
  });
});

describe('login by a password', () => {
  const SIGNED = { sessionId: 'session-1', accessToken: 'a.b.c', expiresInS: 900, refreshToken: 'flr_x' };
  const MADE = { id: 'token-9', token: 'flp_made' };

  const comeIn = async (...argv: string[]) => {
    hub = await open({ body: SIGNED }, { body: MADE }, { status: 204 }, { body: ME }, { status: 204 });
    return runCli(['login', hub.url, ...argv], { env: env(), stdin: 'correct horse battery\n' });
  };

  it('stores a token of its own for its owner alone, and ends the session by which it was made', async () => {
    const ran = await comeIn('--user', 'ada@example.com');

    expect(ran.code).toBe(0);
    expect(hub.asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /api/v1/sessions',
      'POST /api/v1/tokens',
      'DELETE /api/v1/sessions/session-1',
      'GET /api/v1/me',
    ]);
    expect(hub.asked[0]?.body).toEqual({ user: 'ada@example.com', password: 'correct horse battery' });
    expect(hub.asked[1]?.headers.authorization).toBe('Bearer a.b.c');
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({
      url: hub.url,
      token: 'flp_made',
      tokenId: 'token-9',
    });
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(ran.out + ran.err).not.toMatch(/correct horse|flp_made|flr_x/);
  });

  it('is by an invite, with a password that is set by that', async () => {
    writeFileSync(join(user.path, 'password'), 'with a space at its end \n');

    const ran = await comeIn('--invite', 'fli_x', '--password-file', join(user.path, 'password'));

    expect(ran.code).toBe(0);
    expect(hub.asked[0]).toMatchObject({
      path: '/api/v1/invites/redeem',
      body: { token: 'fli_x', password: 'with a space at its end ' },
    });
  });

  it('is by the link itself, in which the invite stands', async () => {
    hub = await open({ body: SIGNED }, { body: MADE }, { status: 204 }, { body: ME });

    const ran = await runCli(['login', `${hub.url}/invite#fli_x`], {
      env: env(),
      stdin: 'correct horse battery\n',
    });

    expect(ran.code).toBe(0);
    expect(hub.asked[0]).toMatchObject({ path: '/api/v1/invites/redeem', body: { token: 'fli_x' } });
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toMatchObject({ url: hub.url });
  });

  it('has its token revoked by the logout', async () => {
    await comeIn('--user', 'ada');

    const ran = await runCli(['logout'], { env: env() });

    expect(ran.code).toBe(0);
    expect(hub.asked.at(-1)).toMatchObject({ method: 'DELETE', path: '/api/v1/tokens/token-9' });
    expect(existsSync(file())).toBe(false);
  });

  it('is forgotten by the logout where the hub is away, and that is said', async () => {
    await comeIn('--user', 'ada');
    await hub.close();

    const ran = await runCli(['logout'], { env: env() });

    expect(ran.err).toContain('token-9');
    expect(existsSync(file())).toBe(false);
  });

  it.each([
    [['--user', 'ada', '--invite', 'fli_x']],
    [['--user', 'ada', '--token', TOKEN]],
    [['--password-file', 'p']],
  ])('is one way at a time: %j', async (argv) => {
    const ran = await runCli(['login', 'http://127.0.0.1:1', ...argv], { env: env() });

    expect(ran.code).toBe(2);
  });
});

describe('login by a code that is approved elsewhere', () => {
  const BEGUN = {
    deviceCode: 'fld_secret',
    userCode: 'WDJB-MJHT',
    verificationUri: 'http://hub/device',
    verificationUriComplete: 'http://hub/device#WDJB-MJHT',
    expiresInS: 600,
    intervalS: 5,
  };
  const MADE = { id: 'token-9', token: 'flp_made' };
  const comeIn = async (...answers: Answer[]) => {
    hub = await open({ body: BEGUN }, ...answers);
    return runCli(['login', hub.url, '--device'], { env: env() });
  };

  it('shows where to go, asks again as it is told to, and stores the token for its owner alone', async () => {
    const pending = problem('authorization_pending', { intervalS: 5 });
    const slow = problem('slow_down', { intervalS: 10 });

    const ran = await comeIn(
      pending,
      slow,
      pending,
      problem('database_unavailable'),
      { body: MADE },
      { body: ME },
    );

    expect(ran.code).toBe(0);
    expect(ran.err).toContain('http://hub/device#WDJB-MJHT');
    expect(ran.err).toContain('fairlead device approve WDJB-MJHT');
    expect(ran.pauses).toEqual([5_000, 5_000, 10_000, 10_000, 15_000]);
    expect(hub.asked[1]?.body).toEqual({ deviceCode: 'fld_secret' });
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({
      url: hub.url,
      token: 'flp_made',
      tokenId: 'token-9',
    });
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(ran.out + ran.err).not.toMatch(/flp_made|fld_secret/);
  });

  it.each(['access_denied', 'device_code_expired'] as const)(
    'ends where it is %s, and stores nothing',
    async (code) => {
      const ran = await comeIn(problem('authorization_pending'), problem(code));

      expect(ran.code).not.toBe(0);
      expect(ran.pauses).toEqual([5_000, 5_000]);
      expect(existsSync(file())).toBe(false);
    },
  );

  it('gives up where the hub is away until the code has expired', async () => {
    const ran = await comeIn(problem('database_unavailable'));

    expect(ran.code).not.toBe(0);
    expect(ran.pauses.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(660_000);
  });

  it.each(['show', 'approve', 'deny'])(
    'is one that `device %s` asks of the hub by its code',
    async (verb) => {
      const grant = {
        id: 'g',
        name: 'a\u001b[2Jb',
        address: '::1',
        createdAt: '2026-01-01T00:00:00Z',
        expiresAt: '2026-01-01T00:10:00Z',
      };
      await logIn({ body: ME }, { body: grant });

      const ran = await runCli(['device', verb, 'WDJB-MJHT'], { env: env() });

      expect(ran.code).toBe(0);
      expect(hub.asked.at(-1)).toMatchObject({
        method: 'POST',
        path: `/api/v1/device-grants/${verb === 'show' ? 'find' : verb}`,
        body: { userCode: 'WDJB-MJHT' },
      });
      expect(ran.out).not.toContain('\u001b');
    },
  );
});

describe('the stored token', () => {
  it('is not sent to an address that it was not stored for', async () => {
    await logIn({ body: ME });
    const other = await open({ body: ME });

    const ran = await runCli(['whoami', '--url', other.url], { env: env() });

    expect(ran.code).toBe(3);
    expect(other.asked).toEqual([]);
  });

  it('gives way to the token of the environment', async () => {
    await logIn({ body: ME });
    const told = 'flp_of-the-environment';

    await runCli(['whoami'], { env: { ...env(), FAIRLEAD_TOKEN: told } });

    expect(hub.asked.at(-1)?.headers.authorization).toBe(`Bearer ${told}`);
  });

  it('is reported where others can read it', async () => {
    await logIn({ body: ME });
    chmodSync(file(), 0o644);

    const ran = await runCli(['whoami'], { env: env() });

    expect(ran.err).toContain('warning: others on this machine can read');
  });

  it('ends with 78 where its file is damaged', async () => {
    await logIn({ body: ME });
    writeFileSync(file(), '{');

    const ran = await runCli(['whoami'], { env: env() });

    expect(ran.code).toBe(78);
    expect(ran.err).toContain('Log in again');
  });

  it('is forgotten by logout', async () => {
    await logIn({ body: ME });

    const first = await runCli(['logout'], { env: env() });
    const second = await runCli(['logout', '--json'], { env: env() });

    expect(first.out).toBe(`Logged out of ${hub.url}.\n`);
    expect(second).toMatchObject({ code: 0 });
    expect(second.json()).toEqual({ forgotten: false });
    expect(existsSync(file())).toBe(false);
  });
});
