import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DataSource } from 'typeorm';
import { FirstBoot } from '../../src/hub/auth/first-boot.js';
import { readConfig } from '../../src/hub/config/hub-config.js';
import { DatabaseServer } from '../../src/hub/database/server.js';
import { makeHub } from '../../src/hub/hub.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { expectNoLeaks } from '../support/leaks.js';

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
    }),
  );
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
});
