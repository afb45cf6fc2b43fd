import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Api } from '../support/api.js';
import { Cluster } from '../support/cluster.js';
import { expectNoLeaks } from '../support/leaks.js';
import { Page } from '../support/page.js';

const PASSWORD = 'correct horse battery';
const LINK = { FAIRLEAD_FIRST_BOOT: 'link' };

let cluster: Cluster;
let sql: pg.Client;

beforeAll(async () => {
  cluster = await Cluster.start(0);
  await Promise.all([cluster.addReplica(LINK), cluster.addReplica(LINK)]);
  sql = new pg.Client(cluster.database.url);
  await sql.connect();
});

afterAll(async () => {
  await sql.end();
  await cluster.stop();
  await expectNoLeaks();
});

const anonymous = (replica: number) => new Api(cluster.hub(replica).url, '');
const bare = { authorization: '' };

describe('the link of the first boot', () => {
  let invite: string;

  it('is shown by one of the replicas that start together, and no token is', () => {
    const shown = cluster.hubs.flatMap(({ administratorInvite }) => administratorInvite ?? []);

    expect(shown).toHaveLength(1);
    expect(cluster.hubs.map(({ administratorToken }) => administratorToken)).toEqual([undefined, undefined]);
    invite = String(shown[0]);
  });

  it('is another one at a later start, once it has expired and nobody has come in', async () => {
    await sql.query(`update invite set expires_at = now()`);

    const later = await cluster.addReplica(LINK);
    const latest = await cluster.addReplica(LINK);

    expect(later.administratorInvite).toMatch(/^fli_/);
    expect(later.administratorInvite).not.toBe(invite);
    expect(latest.administratorInvite).toBeUndefined();
    const answer = await anonymous(0).call(
      'POST',
      '/api/v1/invites/redeem',
      { token: invite, password: PASSWORD },
      bare,
    );
    expect([answer.status, answer.body.code]).toEqual([401, 'invite_invalid']);
    invite = String(later.administratorInvite);
  });

  it('leads to a page that runs nothing but its own script', async () => {
    const { status, headers, body } = await anonymous(1).get('/invite');

    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
    expect(body).not.toMatch(/<script(?! src="\/pages)|style=| on\w+=/);
  });

  it('sets the password of the administrator once, at any replica', async () => {
    const page = await Page.open(`${cluster.hub(1).url}/invite#${invite}`);

    const different = await page.does({ password: PASSWORD, again: 'another' }, 'form', 'submit');
    const right = await page.does({ password: PASSWORD, again: PASSWORD }, 'form', 'submit');
    const again = await Page.open(`${cluster.hub(0).url}/invite#${invite}`);
    const refused = await again.does({ password: PASSWORD, again: PASSWORD }, 'form', 'submit');

    expect(different).toBe('The two are not the same.');
    expect(right).toContain(`fairlead login ${cluster.hub(1).url} --user admin`);
    expect(refused).toContain('The invite is unknown, expired, revoked, or used');
    const body = { user: 'admin', password: PASSWORD };
    expect((await anonymous(0).call('POST', '/api/v1/sessions', body, bare)).status).toBe(201);
    const { rows } = await sql.query('select ended_at from user_session order by id');
    expect(rows[0].ended_at).not.toBeNull();
  });

  it('is shown no more once somebody has a password', async () => {
    await sql.query(`delete from user_session`);
    await sql.query(`update invite set expires_at = now(), redeemed_at = null`);

    const later = await cluster.addReplica(LINK);

    expect(later.administratorInvite).toBeUndefined();
  });
});
