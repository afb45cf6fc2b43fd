import { randomBytes } from 'node:crypto';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DataSource } from 'typeorm';
import { FirstBoot } from '../../src/hub/auth/first-boot.js';
import { readConfig } from '../../src/hub/config/hub-config.js';
import { DatabaseServer } from '../../src/hub/database/server.js';
import { makeHub, routesOf } from '../../src/hub/hub.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { expectNoLeaks } from '../support/leaks.js';

/** Where browsers reach the one that was told. */
const OWN = 'https://hub.example';

let database: TestDatabase;
/** One that was told nothing, and one behind a balancer, for the pages of a console. */
let bare: NestFastifyApplication;
let told: NestFastifyApplication;
let token: string;

beforeAll(async () => {
  database = await createDatabase();
  const env = {
    DATABASE_URL: database.url,
    FAIRLEAD_SEAL_KEYS: randomBytes(32).toString('hex'),
    FAIRLEAD_CLUSTER_SECRET: randomBytes(32).toString('hex'),
    FAIRLEAD_LOG_LEVEL: 'silent',
  };
  bare = await makeHub(readConfig(env));
  told = await makeHub(
    readConfig({
      ...env,
      FAIRLEAD_TRUSTED_PROXIES: '10.0.0.0/8',
      FAIRLEAD_CORS_ORIGINS: 'https://console.example',
      FAIRLEAD_PUBLIC_URL: OWN,
    }),
  );
  // What is never sent to its end is given up in a fraction of the time, and looked for as much oftener.
  const { requestTimeout } = bare.getHttpServer();
  Object.assign(bare.getHttpServer(), {
    requestTimeout: requestTimeout / 200,
    connectionsCheckingInterval: requestTimeout / 400 || undefined,
  });
  await bare.listen(0, '127.0.0.1');
  await told.init();
  await told.getHttpAdapter().getInstance().ready();
  token = String(await bare.get(FirstBoot).ensureAdministrator());
});

afterAll(async () => {
  for (const app of [bare, told]) {
    await app.close();
    await app.get(DataSource).destroy();
    await app.get(DatabaseServer).close();
  }
  await database.drop();
  await expectNoLeaks();
});

/** From where a hub says in its audit that a request came. */
async function seenFrom(app: NestFastifyApplication, peer: string, headers: Record<string, string>) {
  const authorization = `Bearer ${token}`;
  await app.inject({
    method: 'POST',
    url: '/api/v1/join-tokens',
    headers: { authorization, ...headers },
    remoteAddress: peer,
    payload: {},
  });
  const { items } = (
    await app.inject({ method: 'GET', url: '/api/v1/audit?limit=1', headers: { authorization } })
  ).json();
  return items[0].address;
}

describe('what a request says of where it comes from', () => {
  const forged = {
    'x-forwarded-for': '203.0.113.9',
    forwarded: 'for=203.0.113.9',
    'x-real-ip': '203.0.113.9',
  };

  it('is believed from nobody where no proxy was named', async () => {
    expect(await seenFrom(bare, '10.1.2.3', forged)).toBe('10.1.2.3');
  });

  it('is believed from a proxy that was named, as far as that one saw it', async () => {
    expect(await seenFrom(told, '10.1.2.3', { 'x-forwarded-for': '203.0.113.9' })).toBe('203.0.113.9');
    // What the caller put there himself stands to the left of what the proxy adds.
    expect(await seenFrom(told, '10.1.2.3', { 'x-forwarded-for': '192.0.2.1, 203.0.113.9' })).toBe(
      '203.0.113.9',
    );
    expect(await seenFrom(told, '10.1.2.3', { 'x-real-ip': '203.0.113.9' })).toBe('10.1.2.3');
  });

  it('is believed from nobody else', async () => {
    expect(await seenFrom(told, '192.0.2.7', forged)).toBe('192.0.2.7');
  });
});

describe('what a request says of where it is asked', () => {
  const EVIL = 'evil.example';
  const forged = {
    host: EVIL,
    referer: `https://${EVIL}/page`,
    forwarded: `host=${EVIL};proto=http`,
    'x-forwarded-host': EVIL,
    'x-forwarded-proto': 'http',
    'x-forwarded-port': '666',
    'x-forwarded-prefix': `/${EVIL}`,
    'x-original-url': `/${EVIL}`,
    'x-rewrite-url': `/${EVIL}`,
  };

  it.each<['GET' | 'POST', string]>([
    ['GET', '/api/v1/openapi.json'],
    ['GET', '/docs'],
    ['GET', '/invite'],
    ['GET', '/device'],
    ['GET', '/.well-known/jwks.json'],
    ['GET', '/api/v1/oidc/begin'],
    ['POST', '/api/v1/device-grants'],
    ['POST', '/api/v1/join-tokens'],
    ['GET', '/no/such'],
  ])('is in no answer, also from a proxy that was named: %s %s (pitfall 37)', async (method, url) => {
    for (const app of [bare, told]) {
      const { headers, payload } = await app.inject({
        method,
        url,
        headers: { ...forged, authorization: `Bearer ${token}` },
        remoteAddress: '10.1.2.3',
        ...(method === 'POST' ? { payload: {} } : {}),
      });

      expect(payload).not.toContain(EVIL);
      expect(JSON.stringify(headers)).not.toContain(EVIL);
    }
  });

  let asked = 0;
  /** Each from another address, since what fails is counted by that. */
  const signIn = async (headers: Record<string, string>) => {
    asked += 1;
    const answer = await told.inject({
      method: 'POST',
      url: '/api/v1/web-sessions',
      headers,
      remoteAddress: `10.1.3.${asked}`,
      payload: { user: 'nobody', password: 'correct horse battery' },
    });
    return [answer.statusCode, answer.json().code];
  };

  it.each<[string, Record<string, string>]>([
    ['its Host', { host: EVIL, origin: `https://${EVIL}` }],
    ['what a proxy forwards', { ...forged, host: 'hub.example', origin: `https://${EVIL}` }],
    ['a Referer in place of an origin', { host: 'hub.example', referer: `${OWN}/page` }],
    ['a Referer beside another origin', { referer: `${OWN}/page`, origin: `https://${EVIL}` }],
  ])('makes no page one of the hub: %s (pitfall 37)', async (_what, headers) => {
    expect(await signIn(headers)).toEqual([403, 'csrf_refused']);
  });

  it('takes nothing from a page of the hub, which is known by its origin alone (pitfall 37)', async () => {
    expect(await signIn({ ...forged, origin: OWN })).toEqual([401, 'sign_in_refused']);
  });
});

describe('an answer', () => {
  it.each(['/livez', '/api/v1/me', '/no/such'])('of %s tells browsers to make no more of it', async (url) => {
    const { headers } = await bare.inject({ method: 'GET', url });

    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    });
  });

  const cors = async (app: NestFastifyApplication, origin: string) => {
    const asked = { origin, 'access-control-request-method': 'GET' };
    const answers = await Promise.all([
      app.inject({ method: 'GET', url: '/livez', headers: { origin } }),
      app.inject({ method: 'OPTIONS', url: '/api/v1/me', headers: asked }),
    ]);
    return answers.map(({ headers }) => headers['access-control-allow-origin']);
  };

  it('is for no page of another origin, unless that was named', async () => {
    expect(await cors(bare, 'https://console.example')).toEqual([undefined, undefined]);
    expect(await cors(told, 'https://console.example')).toEqual(Array(2).fill('https://console.example'));
    expect(await cors(told, 'https://evil.example')).toEqual([undefined, undefined]);
  });

  it('lets a page that was named see what it needs of an answer, and how much it may still ask', async () => {
    const headers = { origin: 'https://console.example' };

    const answer = await told.inject({ method: 'GET', url: '/livez', headers });

    expect(String(answer.headers['access-control-expose-headers']).split(', ').sort()).toEqual([
      'ETag',
      'Location',
      'Preference-Applied',
      'RateLimit',
      'RateLimit-Policy',
      'Retry-After',
      'X-Request-Id',
    ]);
  });

  it('lets a named page change what it may, by whichever method of the API', async () => {
    const asked = { origin: 'https://console.example', 'access-control-request-method': 'PUT' };

    const { headers } = await told.inject({ method: 'OPTIONS', url: '/api/v1/me/password', headers: asked });

    const methods = new Set(routesOf(told).map(({ method }) => method));
    methods.delete('OPTIONS');
    expect(String(headers['access-control-allow-methods']).split(', ').sort()).toEqual([...methods].sort());
  });

  it.each(['//', '//?', '/%', 'http://[', '*'])(
    'to an upgrade of %s says that there is no such thing',
    async (path) => {
      const { port } = bare.getHttpServer().address() as { port: number };
      const socket = connect(port, '127.0.0.1');
      socket.write(
        `GET ${path} HTTP/1.1\r\nhost: hub\r\nconnection: Upgrade\r\nupgrade: websocket\r\n` +
          'sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
      );
      const chunks: Buffer[] = [];
      for await (const chunk of socket) chunks.push(chunk as Buffer);

      expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 404 [^]*"code":"not_found"/);
    },
  );

  it('to a body nested past the cap is 400, whoever sends it', async () => {
    const payload = `{"token":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
    const headers = { 'content-type': 'application/json' };

    const answers = await Promise.all(
      ['join', 'token'].map((name) =>
        bare.inject({ method: 'POST', url: `/api/v1/brokers/${name}`, headers, payload }),
      ),
    );

    expect(answers.map(({ statusCode, json }) => [statusCode, json().code])).toEqual(
      Array(2).fill([400, 'request_invalid']),
    );
  });

  /** What a server says to a request as it stands on the wire. */
  const toWire = async (request: string) => {
    const { port } = bare.getHttpServer().address() as { port: number };
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(request);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    return {
      status: Number(text.split(' ')[1]),
      body: JSON.parse(text.slice(text.indexOf('\r\n\r\n'))),
      text,
    };
  };
  const withHeaders = (bytes: number) => {
    const head = `GET /no/such HTTP/1.1\r\nhost: hub\r\nconnection: close\r\nx-of-mine: `;
    return `${head}${'x'.repeat(bytes - head.length)}\r\n\r\n`;
  };

  it('to more headers than 16 KiB is 413, and to less none of that', async () => {
    const answers = [await toWire(withHeaders(16_000)), await toWire(withHeaders(16_500))];

    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [404, 'not_found'],
      [413, 'request_too_large'],
    ]);
  });

  it('to a body of which half never comes is 408, and to those who say nothing meanwhile none', async () => {
    const { port } = bare.getHttpServer().address() as { port: number };
    const quiet = new Agent({ keepAlive: true, maxSockets: 1 });
    const look = () =>
      new Promise<[number | undefined, number | undefined]>((resolve, reject) => {
        get({ port, host: '127.0.0.1', path: '/livez', agent: quiet }, (answer) => {
          const { localPort } = answer.socket;
          answer.resume().on('end', () => resolve([answer.statusCode, localPort]));
        }).on('error', reject);
      });
    const before = await look();
    const half = connect(port, '127.0.0.1');
    half.write('POST /api/v1/sessions HTTP/1.1\r\nhost: hub\r\ncontent-length: 100\r\n');
    half.write('content-type: application/json\r\n\r\n{"user":');
    const chunks: Buffer[] = [];
    for await (const chunk of half) chunks.push(chunk as Buffer);

    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 408 [^]*connection: close/i);
    expect(await look()).toEqual([200, before[1]]);
    quiet.destroy();
  });

  it('to what is no HTTP is 400', async () => {
    const { status, body } = await toWire('HELO hub\r\n\r\n');

    expect([status, body.code]).toEqual([400, 'request_invalid']);
  });

  it('to a name in a path past the cap is 413, and says it to nobody again', async () => {
    const [known, long] = ['a'.repeat(100), 'a'.repeat(101)];
    const headers = { authorization: `Bearer ${token}` };
    const ask = async (name: string) =>
      bare.inject({ method: 'GET', url: `/api/v1/agents/${name}`, headers });

    const answers = [await ask(known), await ask(long), await ask('%ff')];

    expect(answers.map(({ statusCode, json }) => [statusCode, json().code])).toEqual([
      [404, 'not_found'],
      [413, 'request_too_large'],
      [400, 'request_invalid'],
    ]);
    for (const { payload, headers: told } of answers) {
      expect(payload).not.toMatch(/aaa|%ff/);
      expect(told).toMatchObject({ 'x-request-id': expect.any(String), 'x-content-type-options': 'nosniff' });
    }
  });
});
