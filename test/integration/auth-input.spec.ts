import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { FirstBoot } from '../../src/hub/auth/first-boot.js';
import { readConfig } from '../../src/hub/config/hub-config.js';
import { DatabaseServer } from '../../src/hub/database/server.js';
import { makeHub } from '../../src/hub/hub.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { expectNoLeaks } from '../support/leaks.js';

const DAY_S = 24 * 60 * 60;
const TOKENS = '/api/v1/tokens';
const JOIN_TOKENS = '/api/v1/join-tokens';

let database: TestDatabase;
let sql: pg.Client;
let app: NestFastifyApplication;
let token: string;

beforeAll(async () => {
  database = await createDatabase();
  sql = new pg.Client(database.url);
  await sql.connect();
  app = await makeHub(
    readConfig({
      DATABASE_URL: database.url,
      FAIRLEAD_SEAL_KEYS: randomBytes(32).toString('hex'),
      FAIRLEAD_CLUSTER_SECRET: randomBytes(32).toString('hex'),
      FAIRLEAD_LISTEN: '127.0.0.1:0',
      FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
      FAIRLEAD_LOG_LEVEL: 'silent',
    }),
  );
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  token = String(await app.get(FirstBoot).ensureAdministrator());
});

afterAll(async () => {
  await app.close();
  await app.get(DataSource).destroy();
  await app.get(DatabaseServer).close();
  await sql.end();
  await database.drop();
  await expectNoLeaks();
});

async function ask(method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) {
  const headers = { authorization: `Bearer ${token}` };
  const response = await app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
  return {
    status: response.statusCode,
    headers: response.headers,
    body: response.body === '' ? {} : response.json(),
  };
}

async function rowsOf(table: string): Promise<number> {
  return (await sql.query<{ count: number }>(`select count(*)::int from ${table}`)).rows[0]?.count ?? -1;
}

/** Seconds between two times of an answer. */
function secondsBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / 1000;
}

describe('a personal token', () => {
  it('ends after 90 days where nothing else is asked for, and is shown with no leave to keep it', async () => {
    const { status, headers, body } = await ask('POST', TOKENS, { name: 'of a program' });

    expect([status, headers['cache-control']]).toEqual([201, 'no-store']);
    expect(secondsBetween(body.createdAt, body.expiresAt)).toBe(90 * DAY_S);
  });

  it('ends when it was asked to', async () => {
    const { body } = await ask('POST', TOKENS, { name: 'of a program', expiresInS: 60 });

    expect(secondsBetween(body.createdAt, body.expiresAt)).toBe(60);
  });

  it.each<[string, object]>([
    ['that never ends', { expiresInS: null }],
    ['that lives for more than a year', { expiresInS: 365 * DAY_S + 1 }],
    ['that ends at once', { expiresInS: 59 }],
    ['that lives for a part of a second', { expiresInS: 60.5 }],
    ['that lives for a text', { expiresInS: '60' }],
    ['without a name', { name: '' }],
    ['with a name over the cap', { name: 'n'.repeat(101) }],
    ['with a name of two lines', { name: 'a\nb' }],
    ['with a name that turns the line round', { name: 'a\u202eb' }],
    ['with a name that the database cannot hold', { name: 'a\0b' }],
    ['for another user', { userId: randomUUID() }],
  ])('%s is not made', async (_what, fields) => {
    const before = await rowsOf('personal_token');

    const { status, body } = await ask('POST', TOKENS, { name: 'of a program', ...fields });

    expect([status, body.code, body.fields[0].path]).toEqual([
      400,
      'request_invalid',
      Object.keys(fields)[0],
    ]);
    expect(await rowsOf('personal_token')).toBe(before);
  });
});

describe('a join token', () => {
  it('has one seat, an hour and no labels where nothing else is asked for', async () => {
    const { status, headers, body } = await ask('POST', JOIN_TOKENS, {});

    expect([status, headers['cache-control']]).toEqual([201, 'no-store']);
    expect(body).toMatchObject({ seats: 1, taken: 0, labels: {} });
    expect(secondsBetween(body.createdAt, body.expiresAt)).toBe(3_600);
  });

  it('has as many seats, days and labels as are allowed', async () => {
    const most = Object.fromEntries(
      Array.from({ length: 64 }, (_, at) => [`${at}`.padEnd(128, 'k'), 'v'.repeat(128)]),
    );

    const { status, body } = await ask('POST', JOIN_TOKENS, {
      seats: 10_000,
      expiresInS: 90 * DAY_S,
      labels: most,
    });

    expect([status, body.seats, body.labels]).toEqual([201, 10_000, most]);
  });

  it.each<[string, object]>([
    ['without a number of seats', { seats: null }],
    ['with no seat', { seats: 0 }],
    ['with a part of a seat', { seats: 1.5 }],
    ['with more seats than are allowed', { seats: 10_001 }],
    ['that never ends', { expiresInS: null }],
    ['that ends at once', { expiresInS: 0 }],
    ['that lives for more than 90 days', { expiresInS: 90 * DAY_S + 1 }],
    ['with nothing for labels', { labels: null }],
    ['with a list for labels', { labels: ['a'] }],
    ['with a label that is no text', { labels: { a: 1 } }],
    ['with a label that is too long', { labels: { a: 'v'.repeat(129) } }],
    ['with a label whose name is too long', { labels: { ['k'.repeat(129)]: 'v' } }],
    [
      'with too many labels',
      { labels: Object.fromEntries(Array.from({ length: 65 }, (_, at) => [at, 'v'])) },
    ],
    ['with seats that were taken', { taken: 0 }],
  ])('%s is not made', async (_what, fields) => {
    const before = await rowsOf('join_token');

    const { status, body } = await ask('POST', JOIN_TOKENS, fields);

    expect([status, body.code, body.fields?.[0].path]).toEqual([
      400,
      'request_invalid',
      Object.keys(fields)[0],
    ]);
    expect(await rowsOf('join_token')).toBe(before);
  });
});

describe('a label of a join token', () => {
  it.each<[string, object]>([
    ['that the database cannot hold', { a: 'a\0b' }],
    ['that is half a character', { a: '\ud800' }],
    ['whose name the database cannot hold', { 'a\0b': 'v' }],
  ])('%s is the fault of who sends it', async (_what, labels) => {
    const before = await rowsOf('join_token');

    const { status, body } = await ask('POST', JOIN_TOKENS, { labels });

    expect([status, body.code]).toEqual([400, 'request_invalid']);
    expect(await rowsOf('join_token')).toBe(before);
  });
});

describe('the lists of tokens', () => {
  it.each([TOKENS, JOIN_TOKENS])('%s gives every one once over its pages, newest first', async (path) => {
    for (let count = 0; count < 5; count += 1) await ask('POST', path, path === TOKENS ? { name: 'n' } : {});
    const whole: { id: string }[] = (await ask('GET', `${path}?limit=500`)).body.items;

    const paged: { id: string }[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { body }: { body: { items: { id: string }[]; nextCursor: string | null } } = await ask(
        'GET',
        `${path}?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      expect(body.items.length).toBeLessThanOrEqual(2);
      paged.push(...body.items);
      cursor = body.nextCursor;
    }

    expect(paged).toEqual(whole);
    expect(paged.map(({ id }) => id)).toEqual(
      paged
        .map(({ id }) => id)
        .sort()
        .reverse(),
    );
  });

  it('take no cursor of the other, nor one that nobody gave', async () => {
    const { body } = await ask('GET', `${TOKENS}?limit=1`);

    const answers = await Promise.all([
      ask('GET', `${JOIN_TOKENS}?cursor=${body.nextCursor}`),
      ask('GET', `${TOKENS}?cursor=made-up`),
      ask('GET', `${TOKENS}?limit=0`),
      ask('GET', `${TOKENS}?limit=501`),
      ask('GET', `${TOKENS}?limit=`),
    ]);

    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400]);
  });
});

describe('the end of a token', () => {
  it.each([TOKENS, JOIN_TOKENS])('%s is 404 for one that is not there, and 400 for no id', async (path) => {
    const [absent, malformed] = [
      await ask('DELETE', `${path}/${randomUUID()}`),
      await ask('DELETE', `${path}/x`),
    ];

    expect([absent.status, absent.body.code]).toEqual([404, 'not_found']);
    expect([malformed.status, malformed.body.code]).toEqual([400, 'request_invalid']);
  });
});
