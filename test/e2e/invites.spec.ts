import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Api } from '../support/api.js';
import { Cluster } from '../support/cluster.js';
import { expectNoLeaks } from '../support/leaks.js';

const PASSWORD = 'correct horse battery';
const INVITES = '/api/v1/invites';

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

type Made = { id: string; token: string; expiresAt: string; user: any };

async function makeUser(given: object = {}): Promise<any> {
  return (await admin.post('/api/v1/users', { name: `u-${randomUUID()}`, ...given })).body;
}

async function invite(user: any, by = admin): Promise<Made> {
  const { status, body } = await by.post(`/api/v1/users/${user.id}/invites`, {});
  expect(status).toBe(201);
  return { ...body, user };
}

const redeem = (token: string, replica = 0) =>
  new Api(cluster.hub(replica).url, '').post(
    `${INVITES}/redeem`,
    { token, password: PASSWORD },
    { authorization: '' },
  );
const revoke = (id: string, replica = 0, by = cluster.api(replica)) => by.call('DELETE', `${INVITES}/${id}`);
const listed = async (id: string) => {
  const { body } = await admin.get(`${INVITES}?limit=500`);
  return body.items.find((item: any) => item.id === id);
};
const code = ({ status, body }: { status: number; body: any }) => [status, body?.code];

describe('the list of invites', () => {
  it('tells for whom each is, who made it, when it ends and what became of it, at any replica', async () => {
    const name = `u-${randomUUID()}`;
    const user = await makeUser({ name, email: `${name}@example.com`, role: 'admin' });
    const me = (await admin.get('/api/v1/me')).body;
    const made = await invite(user);

    const { body } = await cluster.api(1).get(`${INVITES}?limit=1`);

    expect(body.items).toEqual([
      {
        id: made.id,
        userId: user.id,
        name,
        email: `${name}@example.com`,
        role: 'admin',
        createdBy: me.userId,
        createdByName: me.name,
        createdAt: expect.stringMatching(/Z$/),
        expiresAt: made.expiresAt,
        redeemedAt: null,
        revokedAt: null,
        state: 'open',
      },
    ]);
  });

  it('tells those that were redeemed, revoked, followed by another, or have expired from those that are open', async () => {
    const [open, redeemed, revoked, followed, expired] = await Promise.all(
      Array.from({ length: 5 }, async () => invite(await makeUser())),
    );
    if (!open || !redeemed || !revoked || !followed || !expired) throw new Error('five were made');
    await redeem(redeemed.token);
    await invite(redeemed.user);
    await revoke(revoked.id);
    await invite(followed.user);
    await sql.query('update invite set expires_at = now() where id = $1', [expired.id]);

    const rows = await Promise.all([open, redeemed, revoked, followed, expired].map(({ id }) => listed(id)));

    expect(
      rows.map(({ state, redeemedAt, revokedAt }) => [state, redeemedAt !== null, revokedAt !== null]),
    ).toEqual([
      ['open', false, false],
      ['redeemed', true, false],
      ['revoked', false, true],
      ['revoked', false, true],
      ['expired', false, false],
    ]);
  });

  it('never has what an invite is redeemed by, nor its hash', async () => {
    const { id, token } = await invite(await makeUser());
    const { rows } = await sql.query(
      `select encode(hash, 'hex') as hex, encode(hash, 'base64') as plain from invite where id = $1`,
      [id],
    );

    const text = JSON.stringify((await admin.get(`${INVITES}?limit=500`)).body);

    expect(text).toContain(id);
    for (const secret of [token, token.slice(4), rows[0].hex, rows[0].plain])
      expect(text).not.toContain(secret);
  });

  it('is read page by page, newest first, each once', async () => {
    const user = await makeUser();
    const made: string[] = [];
    for (let count = 0; count < 3; count += 1) made.unshift((await invite(user)).id);

    const found: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null && found.length < 3) {
      const { body }: { body: any } = await admin.get(`${INVITES}?limit=1${cursor && `&cursor=${cursor}`}`);
      found.push(...body.items.map((item: any) => item.id));
      cursor = body.nextCursor;
    }

    expect(found).toEqual(made);
  });

  it.each(['limit=0', 'limit=501', 'limit=x', `cursor=${'A'.repeat(501)}`, 'cursor=bm9uZQ', 'state=open'])(
    'is not read by %s',
    async (query) => {
      expect(code(await admin.get(`${INVITES}?${query}`))).toEqual([400, 'request_invalid']);
    },
  );

  it('is read by no cursor of another list', async () => {
    await makeUser();
    await makeUser();
    const { body } = await admin.get('/api/v1/users?limit=1');

    const answer = await admin.get(`${INVITES}?cursor=${body.nextCursor}`);

    expect(code(answer)).toEqual([400, 'request_invalid']);
  });

  it('takes the largest page', async () => {
    expect((await admin.get(`${INVITES}?limit=500`)).status).toBe(200);
  });
});

describe('an invite that is revoked', () => {
  it('is redeemed at no replica, and revoking it again changes nothing', async () => {
    const { id, token } = await invite(await makeUser());

    const first = await revoke(id, 1);
    const { revokedAt } = await listed(id);
    const again = await revoke(id);

    expect([first.status, again.status]).toEqual([204, 204]);
    expect((await listed(id)).revokedAt).toBe(revokedAt);
    for (const replica of [0, 1]) expect(code(await redeem(token, replica))).toEqual([401, 'invite_invalid']);
  });

  it('leaves its user, and the invites of others, as they are', async () => {
    const [mine, other] = [await invite(await makeUser()), await invite(await makeUser())];

    await revoke(mine.id);
    const next = await invite(mine.user);

    expect((await redeem(other.token)).status).toBe(201);
    expect((await redeem(next.token)).status).toBe(201);
  });

  it('is in the audit with who did it and for whom it was, and so is what was refused', async () => {
    const [mine, used] = [await invite(await makeUser()), await invite(await makeUser())];
    await redeem(used.token);
    const me = (await admin.get('/api/v1/me')).body;
    const unknown = randomUUID();

    await revoke(mine.id);
    const refusals = [await revoke(used.id), await revoke(unknown)];

    expect(refusals.map(code)).toEqual([
      [409, 'invite_redeemed'],
      [404, 'not_found'],
    ]);
    const { body } = await admin.get('/api/v1/audit?act=invite.revoke&limit=3');
    const told = body.items.map(({ actor, subject, outcome, code: why, detail }: any) => [
      actor.id,
      subject,
      outcome,
      why,
      detail.invite,
    ]);
    const subjectOf = ({ user }: Made) => ({ kind: 'user', id: user.id, name: user.name });
    expect(told).toEqual([
      [me.userId, { kind: 'user', id: null, name: null }, 'refused', 'not_found', unknown],
      [me.userId, subjectOf(used), 'refused', 'invite_redeemed', used.id],
      [me.userId, subjectOf(mine), 'done', null, mine.id],
    ]);
  });

  it('or redeemed: of the two that race at two replicas one wins, and the other is told', async () => {
    const invites = await Promise.all(Array.from({ length: 12 }, async () => invite(await makeUser())));

    const outcomes = await Promise.all(
      invites.map(async ({ id, token }, index) => {
        const [redeemed, revoked] = await Promise.all([
          redeem(token, index % 2),
          revoke(id, (index + 1) % 2),
        ]);
        return [redeemed.status, revoked.status, (await listed(id)).state].join(' ');
      }),
    );

    expect(outcomes.filter((each) => !['201 409 redeemed', '401 204 revoked'].includes(each))).toEqual([]);
  });

  it.each(['x', '1', `${randomUUID()}0`])('is not named by %s', async (id) => {
    expect(code(await revoke(id))).toEqual([400, 'request_invalid']);
  });
});

describe('whoever is no administrator', () => {
  it('sees no invites, and revokes none', async () => {
    const member = await makeUser();
    const { body } = await admin.post(`/api/v1/users/${member.id}/tokens`, { name: 'of a test' });
    const api = new Api(cluster.hub(0).url, body.token);
    const { id, token } = await invite(await makeUser());

    const answers = [await api.get(INVITES), await revoke(id, 0, api)];

    expect(answers.map(code)).toEqual(answers.map(() => [403, 'forbidden']));
    expect((await redeem(token)).status).toBe(201);
  });

  it('is an administrator whose token only reads: it sees them, and revokes none', async () => {
    const { body } = await admin.post('/api/v1/tokens', { name: 'reader', access: 'read' });
    const api = new Api(cluster.hub(0).url, body.token);
    const { id } = await invite(await makeUser());

    expect((await api.get(INVITES)).status).toBe(200);
    expect(code(await revoke(id, 0, api))).toEqual([403, 'forbidden']);
    expect((await listed(id)).state).toBe('open');
  });
});

it.each([59, 30 * 86_400 + 1, 1.5, '60'])('an invite is not made for %j seconds', async (expiresInS) => {
  const user = await makeUser();

  const answer = await admin.post(`/api/v1/users/${user.id}/invites`, { expiresInS });

  expect(code(answer)).toEqual([400, 'request_invalid']);
});

it.each([60, 30 * 86_400])('an invite is made for %d seconds', async (expiresInS) => {
  const user = await makeUser();

  expect((await admin.post(`/api/v1/users/${user.id}/invites`, { expiresInS })).status).toBe(201);
});
