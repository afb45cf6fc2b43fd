import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { CredentialInvalid } from '../../src/hub/auth/auth.errors.js';
import { makeOpaque } from '../../src/hub/auth/opaque-token.js';
import { PersonalTokenRepository } from '../../src/hub/auth/personal-token.repository.js';
import type { PersonalTokens } from '../../src/hub/auth/personal-tokens.js';
import type { Role } from '../../src/hub/auth/principal.js';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { Database } from '../../src/hub/database/database.js';
import { NotFound } from '../../src/hub/problems/coded.error.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { expectNoLeaks } from '../support/leaks.js';
import { personalTokensOf, SOMEBODY } from './support/personal-tokens.js';

const REMEMBERED_FOR_MS = 30_000;

let database: TestDatabase;
let sql: pg.Client;
let source: DataSource;
let one: PersonalTokens;
let other: PersonalTokens;
let userId: string;

beforeAll(async () => {
  database = await createDatabase();
  sql = new pg.Client(database.url);
  await sql.connect();
  source = await makeDataSource(database.url, 'test').initialize();
});

beforeEach(async () => {
  [one, other] = [makeReplica(), makeReplica()];
  userId = await makeUser();
});

afterEach(() => {
  jest.restoreAllMocks();
});

afterAll(async () => {
  await source.destroy();
  await sql.end();
  await database.drop();
  await expectNoLeaks();
});

/** What one replica remembers of tokens; it begins with nothing. */
function makeReplica(): PersonalTokens {
  return personalTokensOf(new Database(source));
}

async function makeUser(role: Role = 'member'): Promise<string> {
  const id = randomUUID();
  await sql.query('insert into hub_user (id, name, role) values ($1, $2, $3)', [id, `user-${id}`, role]);
  return id;
}

function makeToken({ expiresInS = 3_600 }: { expiresInS?: number } = {}) {
  return one.create(userId, { name: 'of a test', expiresInS }, SOMEBODY);
}

/** Moves the clock by which answers are remembered. The time of the database goes on as it does. */
function later(byMs: number): void {
  const now = performance.now.bind(performance);
  jest.spyOn(performance, 'now').mockImplementation(() => now() + byMs);
}

async function expireNow(id: string): Promise<void> {
  await sql.query('update personal_token set expires_at = now() where id = $1', [id]);
}

describe('a personal token', () => {
  it('tells at every replica whose it is, by the row of the user and nothing else', async () => {
    const admin = await makeUser('admin');
    const { id, token } = await one.create(admin, { name: 'admin of nothing', expiresInS: 60 }, SOMEBODY);

    const principals = await Promise.all([one, other].map((replica) => replica.authenticate(token)));

    const expected = {
      kind: 'person',
      userId: admin,
      name: `user-${admin}`,
      role: 'admin',
      projects: null,
      access: 'write',
      isLimited: false,
      credentialId: id,
    };
    expect(principals).toEqual([expected, expected]);
  });

  it('that is revoked is refused at once where that was done', async () => {
    const { id, token } = await makeToken();
    await one.authenticate(token);

    await one.revoke(id, userId, SOMEBODY);

    await expect(one.authenticate(token)).rejects.toThrow(CredentialInvalid);
  });

  it('that is revoked is refused within 30 s at a replica that remembers it', async () => {
    const { id, token } = await makeToken();
    await other.authenticate(token);
    await one.revoke(id, userId, SOMEBODY);

    later(REMEMBERED_FOR_MS);
    const authenticating = other.authenticate(token);

    await expect(authenticating).rejects.toThrow(CredentialInvalid);
  });

  it('that is revoked is refused at once at a replica that has not seen it', async () => {
    const { id, token } = await makeToken();
    await one.revoke(id, userId, SOMEBODY);

    const authenticating = other.authenticate(token);

    await expect(authenticating).rejects.toThrow(CredentialInvalid);
  });

  it('that is revoked while it is looked up is not remembered', async () => {
    const { id, token } = await makeToken();

    const database = new Database(source);
    const repository = new PersonalTokenRepository(database);
    const replica = personalTokensOf(database, repository);
    const findHolder = repository.findHolder.bind(repository);
    jest.spyOn(repository, 'findHolder').mockImplementationOnce(async (hash) => {
      const row = await findHolder(hash);
      await replica.revoke(id, userId, SOMEBODY);
      return row;
    });

    await replica.authenticate(token);

    await expect(replica.authenticate(token)).rejects.toThrow(CredentialInvalid);
  });

  it('that has expired is refused', async () => {
    const { token } = await makeToken({ expiresInS: -1 });

    const authenticating = one.authenticate(token);

    await expect(authenticating).rejects.toThrow(CredentialInvalid);
  });

  it('is not remembered past its end', async () => {
    const { id, token } = await makeToken({ expiresInS: 20 });
    await one.authenticate(token);
    await expireNow(id);

    later(20_000);
    const authenticating = one.authenticate(token);

    await expect(authenticating).rejects.toThrow(CredentialInvalid);
  });

  it.each([
    ['unknown', () => makeOpaque('personal').plain],
    ['a join token', () => makeOpaque('join').plain],
    ['a join token that says it is personal', () => makeOpaque('join').plain.replace('flj_', 'flp_')],
    ['empty', () => ''],
    ['a prefix alone', () => 'flp_'],
    ['not the canonical text of its bytes', () => `${makeOpaque('personal').plain.slice(0, -1)}B`],
    ['SQL', () => `flp_' or '1'='1`],
  ])('that is %s is refused', async (_what, make) => {
    await makeToken();

    const authenticating = one.authenticate(make());

    await expect(authenticating).rejects.toThrow(CredentialInvalid);
  });

  it('is kept as a hash: no column holds it', async () => {
    const { token, prefix } = await makeToken();

    const { rows } = await sql.query<{ row: string }>(
      'select personal_token::text as row from personal_token',
    );

    const secret = token.slice('flp_'.length);
    const forms = [
      secret,
      Buffer.from(token).toString('hex'),
      Buffer.from(secret, 'base64url').toString('hex'),
    ];
    expect(rows.some(({ row }) => row.includes(prefix))).toBe(true);
    expect(rows.filter(({ row }) => forms.some((form) => row.includes(form)))).toEqual([]);
  });

  it('is listed for its owner alone, and revoked by its owner alone', async () => {
    const { id, token } = await makeToken();
    const stranger = await makeUser('admin');

    const revoking = other.revoke(id, stranger, SOMEBODY);

    await expect(revoking).rejects.toThrow(NotFound);
    await expect(makeReplica().authenticate(token)).resolves.toMatchObject({ userId });
    expect((await one.list(userId, null, 10)).map((row) => row.id)).toEqual([id]);
    expect(await one.list(stranger, null, 10)).toEqual([]);
  });

  it('that is revoked twice keeps the time of the first', async () => {
    const { id } = await makeToken();
    await one.revoke(id, userId, SOMEBODY);
    const [before] = await one.list(userId, null, 1);

    await other.revoke(id, userId, SOMEBODY);

    expect(before?.revokedAt).toBeInstanceOf(Date);
    expect(await one.list(userId, null, 1)).toEqual([before]);
  });
});
