import { randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { AuditChaining } from '../../src/hub/auth/audit-chaining.js';
import { FirstBoot } from '../../src/hub/auth/first-boot.js';
import { hashOpaque, makeOpaque } from '../../src/hub/auth/opaque-token.js';
import { readConfig } from '../../src/hub/config/hub-config.js';
import { DatabaseServer } from '../../src/hub/database/server.js';
import { makeHub } from '../../src/hub/hub.js';
import { verifyAudit, type AuditItem } from '../../src/hub/verify/audit.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { expectNoLeaks } from '../support/leaks.js';

let database: TestDatabase;
let sql: pg.Client;
let app: NestFastifyApplication;
let administrator: string;
let broker: string;

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
  administrator = String(await app.get(FirstBoot).ensureAdministrator());
});

afterAll(async () => {
  await app.close();
  await app.get(DataSource).destroy();
  await app.get(DatabaseServer).close();
  await sql.end();
  await database.drop();
  await expectNoLeaks();
});

beforeEach(async () => {
  broker = uuidv7();
  await sql.query(
    `insert into broker (id, name, fingerprint, software) values ($1, 'b-' || $1::uuid::text, '', 'it/1')`,
    [broker],
  );
});

async function call(
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  payload?: object,
  token = administrator,
) {
  const headers = { authorization: `Bearer ${token}`, 'x-request-id': 'asked-by-the-test' };
  const response = await app.inject({
    method,
    url: `/api/v1${path}`,
    headers,
    remoteAddress: '192.0.2.7',
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: response.statusCode, body: response.body === '' ? undefined : response.json() };
}

const audit = async (query: string) => (await call('GET', `/audit?${query}`)).body.items as any[];

describe('the audit', () => {
  it('says who did what to a broker, from where, and what came of it', async () => {
    await call('POST', `/brokers/${broker}/cordon`);
    await call('POST', `/brokers/${broker}/cordon`);
    await call('PATCH', `/brokers/${broker}`, { labels: { zone: 'eu', rack: null } });
    await call('POST', `/brokers/${broker}/kick`, { reason: 'it hangs' });
    await call('POST', `/brokers/b-${broker}/drain`);
    await call('POST', `/brokers/${broker}/uncordon`);
    await call('POST', `/brokers/${broker}/revoke`);
    const refused = await call('POST', `/brokers/${broker}/cordon`);

    const rows = await audit(`subject=${broker}`);

    expect(rows.map(({ act, outcome, code }) => [act, outcome, code])).toEqual([
      ['broker.cordon', 'refused', refused.body.code],
      ['broker.revoke', 'done', null],
      ['broker.uncordon', 'done', null],
      ['broker.drain', 'done', null],
      ['broker.kick', 'refused', 'broker_offline'],
      ['broker.update', 'done', null],
      ['broker.cordon', 'unchanged', null],
      ['broker.cordon', 'done', null],
    ]);
    const { body: me } = await call('GET', '/me');
    expect(rows[7]).toMatchObject({
      at: expect.stringMatching(/Z$/),
      actor: { kind: 'person', id: me.userId, name: me.name, credentialId: me.credentialId },
      subject: { kind: 'broker', id: broker, name: null },
      address: '192.0.2.7',
      requestId: 'asked-by-the-test',
    });
    expect(rows[5].detail).toEqual({ labels: { zone: 'eu', rack: null } });
    expect(rows[4].detail).toEqual({ reason: 'it hangs' });
    expect(rows[3].subject.name).toBe(`b-${broker}`);
  });

  it('keeps the mint and the end of a join token and each join, and never the token', async () => {
    const { body: made } = await call('POST', '/join-tokens', { seats: 2, labels: { zone: 'eu' } });
    const publicKey = randomBytes(32).toString('base64url');
    const joining = { token: made.token, publicKey, name: `j-${randomUUID()}`, fingerprint: 'a'.repeat(64) };
    const { body: joined } = await call('POST', '/brokers/join', { ...joining, software: 'it/1' });
    await call('DELETE', `/join-tokens/${made.id}`);
    await call('DELETE', `/join-tokens/${randomUUID()}`);

    const [revoked, created] = await audit(`subject=${made.id}`);
    const [join, ...others] = await audit(`act=broker.join&actor=${joined.brokerId}`);

    expect([revoked.act, created.act, others]).toEqual(['join_token.revoke', 'join_token.create', []]);
    expect(created.detail).toMatchObject({ seats: 2, labels: { zone: 'eu' }, shared: false });
    expect(join).toMatchObject({
      actor: { kind: 'broker', name: joining.name, credentialId: made.id },
      subject: { kind: 'broker', id: joined.brokerId },
      address: '192.0.2.7',
    });
    expect((await audit('act=join_token.revoke&outcome=refused')).map(({ code }) => code)).toEqual([
      'not_found',
    ]);
    const { rows } = await sql.query('select audit::text as text from audit');
    expect(rows.map(({ text }) => text).join()).not.toContain(made.token);
  });

  it('keeps what is done to projects, and to what is attached to them', async () => {
    const name = `p-${randomUUID()}`;
    const { body: made } = await call('POST', '/projects', { name, minBrokerVersion: '1.2' });
    const attached = `/projects/${made.id}/attachments`;
    await call('POST', '/projects', { name });
    await call('PATCH', `/projects/${name}`, { maxPending: 7 });
    await call('PATCH', `/projects/${made.id}`, { minBrokerVersion: '1.1' });
    await call('POST', attached, { broker });
    await call('POST', attached, { broker });
    await call('DELETE', `${attached}/${broker}`);
    await call('DELETE', `${attached}/${broker}`);
    await call('POST', `${attached}/${broker}/revoke`);
    await call('POST', `${attached}/${broker}/revoke`);
    await call('POST', attached, { broker });
    await call('POST', `/projects/${made.id}/archive`);
    await call('POST', `/projects/${made.id}/archive`);
    await call('PATCH', `/projects/${made.id}`, { maxPending: 8 });

    const rows = await audit(`subject=${made.id}`);

    expect(rows.reverse().map(({ act, outcome, code, detail }) => [act, code ?? outcome, detail])).toEqual([
      ['project.create', 'done', { minBrokerVersion: '1.2', maxPending: 10_000 }],
      ['project.update', 'done', { maxPending: 7 }],
      ['project.update', 'version_floor_lowered', { minBrokerVersion: '1.1' }],
      ['attachment.attach', 'done', { broker }],
      ['attachment.attach', 'unchanged', { broker }],
      ['attachment.detach', 'done', { broker }],
      ['attachment.detach', 'unchanged', { broker }],
      ['attachment.revoke', 'done', { broker }],
      ['attachment.revoke', 'unchanged', { broker }],
      ['attachment.attach', 'attachment_revoked', { broker }],
      ['project.archive', 'done', {}],
      ['project.archive', 'unchanged', {}],
      ['project.update', 'project_archived', { maxPending: 8 }],
    ]);
    const { body: me } = await call('GET', '/me');
    for (const { actor, subject, address } of rows) {
      expect(actor).toMatchObject({ kind: 'person', id: me.userId, credentialId: me.credentialId });
      expect([subject, address]).toEqual([{ kind: 'project', id: made.id, name }, '192.0.2.7']);
    }
    const [twice] = await audit('act=project.create&outcome=refused');
    expect([twice.subject.name, twice.code]).toEqual([name, 'project_name_taken']);
  });

  it('keeps that the drain of a replica was asked for, whether that could be reached or not', async () => {
    const ids = await Promise.all(
      ['active', 'draining', 'gone'].map(async (state) => {
        const id = uuidv7();
        await sql.query(
          `insert into hub_replica (id, name, session_name, software, protocol_min, protocol_max, state, ended_at)
           values ($1, 'r', 'r', 'it/1', 1, 1, $2, case $2 when 'gone' then now() end)`,
          [id, state],
        );
        return id;
      }),
    );

    for (const id of ids) await call('POST', `/replicas/${id}/drain`, { deadlineS: 9 });

    const told = await Promise.all(ids.map((id) => audit(`subject=${id}`)));
    expect(told.map(([row, ...more]) => [row.act, row.code ?? row.outcome, row.detail, more])).toEqual([
      ['replica.drain', 'done', { deadlineS: 9 }, []],
      ['replica.drain', 'unchanged', { deadlineS: 9 }, []],
      ['replica.drain', 'not_found', { deadlineS: 9 }, []],
    ]);
    expect(told[0]?.[0].subject).toEqual({ kind: 'replica', id: ids[0], name: 'r' });
  });

  it('is written with what it tells of: where it cannot be, nothing is done', async () => {
    const { body: made } = await call('POST', '/projects', { name: `p-${randomUUID()}` });
    const project = `/projects/${made.id}`;
    await call('POST', `${project}/attachments`, { broker });
    await sql.query('alter table audit rename to audit_away');
    const failed = [
      await call('POST', `${project}/attachments/${broker}/revoke`),
      await call('DELETE', `${project}/attachments/${broker}`),
      await call('PATCH', project, { maxPending: 7 }),
      await call('POST', `${project}/archive`),
      await call('POST', `/brokers/${broker}/cordon`),
      await call('POST', `/brokers/${broker}/revoke`),
      await call('PATCH', `/brokers/${broker}`, { labels: { a: 'b' } }),
      await call('POST', '/join-tokens', {}),
    ];
    const { rows: tokens } = await sql.query('select id from join_token where seats = 1');
    await sql.query('alter table audit_away rename to audit');

    expect(new Set(failed.map(({ status }) => status))).toEqual(new Set([500]));
    expect(tokens).toEqual([]);
    const { body } = await call('GET', `/brokers/${broker}`);
    expect(body).toMatchObject({ service: { state: 'open' }, revokedAt: null, labels: {} });
    expect((await call('GET', project)).body).toEqual(made);
    const { body: attachment } = await call('GET', `${project}/attachments/${broker}`);
    expect(attachment).toMatchObject({ state: 'registering', detachedAt: null });
  });

  it('is only ever added to', async () => {
    await call('POST', `/brokers/${broker}/cordon`);

    for (const change of [`update audit set outcome = 'refused'`, 'delete from audit', 'truncate audit'])
      await expect(sql.query(change)).rejects.toThrow('only ever added to');

    expect(await audit(`subject=${broker}`)).toHaveLength(1);
  });

  it('is exported with its chain, by which every row is as it was', async () => {
    await call('POST', `/brokers/${broker}/cordon`);
    await app.get(AuditChaining).link();

    const items: AuditItem[] = [];
    for (let after: number | null = 0; after !== null;) {
      const { body } = await call('GET', `/audit/export?limit=2&after=${after}`);
      items.push(...body.items);
      after = body.nextAfter;
    }

    const [verdict, last] = [await verifyAudit(Readable.from(items)), items.at(-1)];
    expect(verdict).toMatchObject({ clean: true, linked: items.length, waiting: 0 });
    expect(last).toMatchObject({ entry: { act: 'broker.cordon', subject: { id: broker } } });
    const wrong = await Promise.all(
      ['limit=0', 'limit=501', 'after=-1', 'after=x', 'act=broker.kick'].map((query) =>
        call('GET', `/audit/export?${query}`),
      ),
    );
    expect(wrong.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400]);
  });

  it('is read page by page, by administrators alone', async () => {
    for (const verb of ['cordon', 'uncordon', 'cordon']) await call('POST', `/brokers/${broker}/${verb}`);
    const { plain, prefix, hash } = makeOpaque('personal');
    const user = randomUUID();
    await sql.query(`insert into hub_user (id, name, role) values ($1, 'm-' || $1::uuid::text, 'member')`, [
      user,
    ]);
    await sql.query(
      `insert into personal_token (id, user_id, name, prefix, hash) values ($1, $2, 'it', $3, $4)`,
      [randomUUID(), user, prefix, hash],
    );
    expect(hashOpaque('personal', plain)).toEqual(hash);

    const first = (await call('GET', `/audit?subject=${broker}&limit=2`)).body;
    const second = (await call('GET', `/audit?subject=${broker}&limit=2&cursor=${first.nextCursor}`)).body;
    const elsewhere = await call('GET', `/audit?limit=2&cursor=${first.nextCursor}`);
    const member = await call('GET', '/audit', undefined, plain);
    const wrong = await call('GET', '/audit?act=broker.paint');

    expect([first.items.length, second.items.length, second.nextCursor]).toEqual([2, 1, null]);
    expect([elsewhere.status, member.status, wrong.status]).toEqual([400, 403, 400]);
  });
});
