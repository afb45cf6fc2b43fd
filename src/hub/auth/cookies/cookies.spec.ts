import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../cluster/clock.js';
import type { Replica } from '../../cluster/replica.js';
import type { HubConfig } from '../../config/hub-config.js';
import type { Principal } from '../principal.js';
import type { Sessions } from '../sessions.js';
import { readCookie, writeCookie } from './cookie.js';
import { SealedCookies } from './sealed-cookies.js';
import { WebSessions } from './web-sessions.js';

const [OLD, NEW] = [randomBytes(32), randomBytes(32)];

function cookiesOf(ring: readonly Buffer[] | null, nowMs = 0): SealedCookies {
  const config = { sessionSecrets: ring, sealKeys: [OLD], dataDir: '' } as unknown as HubConfig;
  return new SealedCookies(config, { now: () => new Date(nowMs) } as Clock);
}

describe('a cookie', () => {
  it.each([
    ['a=1', '1'],
    ['b=2; a=1; a=3', '1'],
    ['xa=2;a= 1 ', '1'],
    ['a', undefined],
    ['=a', undefined],
    [undefined, undefined],
  ])('is read from %j', (header, value) => {
    expect(readCookie(header, 'a')).toBe(value);
  });

  it('is written for no script, and by https alone where the hub is reached so', () => {
    const cookie = { name: 'a', path: '/', sameSite: 'Strict' } as const;

    expect(writeCookie(cookie, 'x', 60, false)).toBe('a=x; Path=/; Max-Age=60; HttpOnly; SameSite=Strict');
    expect(writeCookie(cookie, 'x', 60, true)).toMatch(/; Secure$/);
  });
});

describe('what is sealed into a cookie', () => {
  it('is opened by whichever secret of the ring has sealed it, and sealed by the newest', () => {
    const before = cookiesOf([OLD]).seal('web', { a: 1 }, 60);
    const after = cookiesOf([NEW, OLD]).seal('web', { a: 1 }, 60);

    expect(cookiesOf([NEW, OLD]).open('web', before)).toMatchObject({ a: 1 });
    expect(cookiesOf([NEW]).open('web', after)).toMatchObject({ a: 1 });
    expect(cookiesOf([NEW]).open('web', before)).toBeUndefined();
  });

  it('is opened by each replica with the same seal keys where no secrets are set, and by no seal key itself', () => {
    const sealed = cookiesOf(null).seal('web', { a: 1 }, 60);

    expect(cookiesOf(null).open('web', sealed)).toMatchObject({ a: 1 });
    expect(cookiesOf([OLD]).open('web', sealed)).toBeUndefined();
  });

  it('is good for its purpose, within its time, and as it was sealed', () => {
    const sealed = cookiesOf([NEW]).seal('web', { a: 1 }, 60);

    expect(cookiesOf([NEW], 59_999).open('web', sealed)).toMatchObject({ a: 1 });
    expect(cookiesOf([NEW], 60_000).open('web', sealed)).toBeUndefined();
    expect(cookiesOf([NEW]).open('other', sealed)).toBeUndefined();
    for (const value of [
      '',
      'x',
      `${sealed}A`,
      sealed.slice(1),
      'x'.repeat(4_097),
      `${sealed.slice(0, -2)}==`,
    ])
      expect(cookiesOf([NEW]).open('web', value)).toBeUndefined();
    expect(sealed).not.toContain(Buffer.from('"a"').toString('base64url').slice(0, 3));
  });
});

describe('a session of a browser', () => {
  const HTTPS = 'https://hub.example';
  const principal = { userId: 'u' } as Principal;
  const made = (publicUrl: string) => {
    const written: string[] = [];
    const reply = {
      header: (_name: string, value: string) => written.push(value),
    } as unknown as FastifyReply;
    const sessions = { find: () => Promise.resolve(principal) } as unknown as Sessions;
    const config = { publicUrl } as HubConfig;
    const web = new WebSessions(sessions, cookiesOf([NEW]), { address: null } as unknown as Replica, config);
    const csrfToken = web.give(reply, 's');
    const cookie = String(/^[^;]+/.exec(written[0] ?? ''));
    return { web, written, csrfToken, cookie };
  };
  const request = (method: string, headers: Record<string, string>) =>
    ({ method, headers }) as unknown as FastifyRequest;

  it('has by https a name that no other host of the domain can set', () => {
    expect(made(HTTPS).written[0]).toMatch(
      /^__Host-fairlead-session=[\w-]+; Path=\/; Max-Age=2592000; HttpOnly; SameSite=Strict; Secure$/,
    );
    expect(made('http://127.0.0.1:1').written[0]).toMatch(/^fairlead-session=[^;]+; .*SameSite=Strict$/);
  });

  it('reads by the cookie alone', async () => {
    const { web, cookie } = made(HTTPS);

    await expect(web.authenticate(request('GET', { cookie }))).resolves.toBe(principal);
  });

  it('changes something for a page of the hub with the token alone', async () => {
    const { web, cookie, csrfToken } = made(HTTPS);
    const good = { cookie, origin: HTTPS, 'x-csrf-token': csrfToken };
    const bad: Record<string, string>[] = [
      { cookie, 'x-csrf-token': csrfToken },
      { ...good, origin: 'https://hub.example.evil' },
      { ...good, origin: 'http://hub.example' },
      { ...good, origin: 'null' },
      { cookie, origin: HTTPS },
      { ...good, 'x-csrf-token': `${csrfToken}x` },
      { ...good, 'x-csrf-token': made(HTTPS).csrfToken },
      { ...good, origin: 'https://evil.example', host: 'evil.example', referer: `${HTTPS}/device` },
    ];

    await expect(web.authenticate(request('POST', good))).resolves.toBe(principal);
    for (const headers of bad) {
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
        await expect(web.authenticate(request(method, headers))).rejects.toMatchObject({
          code: 'csrf_refused',
        });
    }
  });
});
