import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Api } from '../support/api.js';
import { Cluster } from '../support/cluster.js';
import { expectNoLeaks } from '../support/leaks.js';
import { Page } from '../support/page.js';

const PASSWORD = 'correct horse battery';

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

const post = (path: string, body: object, replica = 0) =>
  new Api(cluster.hub(replica).url, '').call('POST', `/api/v1${path}`, body, { authorization: '' });
const begin = async (replica = 0) => (await post('/device-grants', { name: 'a test' }, replica)).body;
const code = ({ status, body }: { status: number; body: any }) => [status, body?.code];
const answer = (verb: 'find' | 'approve' | 'deny', userCode: string, as = admin) =>
  as.post(`/api/v1/device-grants/${verb}`, { userCode });
/** As the interval asks for it, without waiting for it. */
async function redeem(deviceCode: string, replica = 0) {
  await sql.query(`update device_grant set asked_at = null`);
  return post('/device-grants/redeem', { deviceCode }, replica);
}

async function makePerson(): Promise<{ id: string; name: string; api: Api }> {
  const { body: user } = await admin.post('/api/v1/users', { name: `u-${randomUUID()}` });
  const { body: invite } = await admin.post(`/api/v1/users/${user.id}/invites`, {});
  const { body: signed } = await post('/invites/redeem', { token: invite.token, password: PASSWORD });
  return { ...user, api: new Api(cluster.hub(1).url, signed.accessToken) };
}

describe('a device grant', () => {
  it('gives a token of who approves it, once, at any replica', async () => {
    const ada = await makePerson();
    const begun = await begin();
    const pending = await redeem(begun.deviceCode);

    const shown = await answer('find', begun.userCode.toLowerCase().replace('-', ' '), ada.api);
    const approved = await answer('approve', begun.userCode, ada.api);
    const redeemed = await redeem(begun.deviceCode, 1);
    const again = await redeem(begun.deviceCode);

    expect(begun.verificationUriComplete).toBe(`${cluster.hub(0).url}/device#${begun.userCode}`);
    expect(code(pending)).toEqual([400, 'authorization_pending']);
    expect(shown.body).toMatchObject({ name: 'a test', address: '127.0.0.1' });
    expect([approved.status, redeemed.status]).toEqual([200, 200]);
    expect((await new Api(cluster.hub(0).url, redeemed.body.token).get('/api/v1/me')).body.name).toBe(
      ada.name,
    );
    expect(code(again)).toEqual([400, 'device_code_expired']);
    const { body } = await admin.get(`/api/v1/audit?actor=${ada.id}`);
    expect(body.items.map(({ act }: { act: string }) => act)).toEqual(
      expect.arrayContaining(['device.approve', 'personal_token.create']),
    );
  });

  it('is given once to two that ask at the same time', async () => {
    const begun = await begin();
    await answer('approve', begun.userCode);

    const both = await Promise.all(
      [0, 1].map((replica) => post('/device-grants/redeem', { deviceCode: begun.deviceCode }, replica)),
    );

    expect(both.map(({ status }) => status).sort()).toEqual([200, 400]);
  });

  it('that is denied gives nothing', async () => {
    const begun = await begin();

    await answer('deny', begun.userCode);

    expect(code(await redeem(begun.deviceCode))).toEqual([400, 'access_denied']);
  });

  it('is slowed down where it is asked too soon, by five seconds more each time', async () => {
    const begun = await begin();
    const ask = () => post('/device-grants/redeem', { deviceCode: begun.deviceCode });

    const answers = [await ask(), await ask(), await ask()];

    expect(answers.map(code)).toEqual([
      [400, 'authorization_pending'],
      [400, 'slow_down'],
      [400, 'slow_down'],
    ]);
    expect(answers.map(({ body }) => body.intervalS)).toEqual([5, 10, 15]);
  });

  it('is over after its time, and is answered once', async () => {
    const [late, answered] = [await begin(), await begin()];
    await sql.query(
      `update device_grant set expires_at = now() where user_hash = sha256(convert_to($1, 'UTF8'))`,
      [late.userCode.replace('-', '')],
    );
    await answer('deny', answered.userCode);

    const refused = [
      await answer('find', late.userCode),
      await answer('approve', late.userCode),
      await answer('approve', answered.userCode),
      await answer('approve', 'BCDF-GHJK'),
      await answer('approve', 'not a code'),
    ];

    expect(refused.map(code)).toEqual(refused.map(() => [404, 'not_found']));
    expect(code(await redeem(late.deviceCode))).toEqual([400, 'device_code_expired']);
    expect(code(await redeem('fld_x'))).toEqual([400, 'device_code_expired']);
  });

  it('gives nothing of one who is let in no more', async () => {
    const ada = await makePerson();
    const begun = await begin();
    await answer('approve', begun.userCode, ada.api);
    await admin.call('DELETE', `/api/v1/users/${ada.id}`);

    expect(code(await redeem(begun.deviceCode))).toEqual([400, 'access_denied']);
  });

  it('is not approved by a token that only reads, or is good for some projects alone', async () => {
    const { body: project } = await admin.post('/api/v1/projects', { name: `p-${randomUUID().slice(0, 8)}` });
    const limits = [{ access: 'read' }, { projects: [project.id] }];
    const begun = await begin();

    const answers = [];
    for (const limit of limits) {
      const { body } = await admin.post('/api/v1/tokens', { name: 'limited', ...limit });
      answers.push(await answer('approve', begun.userCode, new Api(cluster.hub(0).url, body.token)));
    }

    expect(answers.map(code)).toEqual(answers.map(() => [403, 'forbidden']));
  });

  it('is kept as hashes', async () => {
    const begun = await begin();

    const { rows } = await sql.query(`select g::text as row from device_grant g`);

    const secrets = [begun.deviceCode, begun.userCode, begun.userCode.replace('-', '')];
    const forms = secrets.flatMap((secret) => [secret, Buffer.from(secret).toString('hex')]);
    expect(rows.filter(({ row }) => forms.some((form) => row.includes(form)))).toEqual([]);
  });

  it.each(['', 'x'.repeat(101), 'a\u0007b'])('does not take the name %j', async (name) => {
    expect(code(await post('/device-grants', { name }))).toEqual([400, 'request_invalid']);
  });

  it.each<[string, number, string | null]>([
    ['a thousand that wait for an answer', 1_000, null],
    ['fifty that wait at one address', 50, '127.0.0.1'],
  ])('is one of %s at a time, and no more', async (_what, most, addressKey) => {
    await sql.query(
      `insert into device_grant (id, device_hash, user_hash, name, address, address_key, expires_at, interval_s)
       select gen_random_uuid(), sha256(n::text::bytea), sha256(('u' || n)::bytea), 'many', '', $2,
              now() + interval '1 hour', 5
       from generate_series(1, $1 - 1 - (
         select count(*)
         from device_grant
         where answer is null and expires_at > now() and ($2::text is null or address_key = $2)
       )) n`,
      [most, addressKey],
    );

    const [last, past] = [
      await post('/device-grants', { name: 'last' }),
      await post('/device-grants', { name: 'past' }),
    ];
    await sql.query(`delete from device_grant where name = 'many'`);

    expect(last.status).toBe(201);
    expect(code(past)).toEqual([429, 'too_many_device_grants']);
  });
});

describe('the page of device grants', () => {
  it('lets a program in for whoever signs in there, and keeps no session', async () => {
    const ada = await makePerson();
    const begun = await begin(1);
    const page = await Page.open(begun.verificationUriComplete);

    const wrong = await page.does({ user: ada.name, password: 'wrong' }, 'form', 'submit');
    const who = await page.does({ user: ada.name, password: PASSWORD }, 'form', 'submit');
    const done = await page.does({}, 'approve', 'click');

    expect(wrong).toContain('The user or the password is wrong');
    expect(who).toContain('It says that it is “a test”, and asks from 127.0.0.1');
    expect(done).toContain('It is let in');
    expect((await redeem(begun.deviceCode)).status).toBe(200);
    const { rows } = await sql.query('select ended_at from user_session where user_id = $1 order by id', [
      ada.id,
    ]);
    expect(rows.map(({ ended_at }) => ended_at === null)).toEqual([true, false]);
  });

  it('turns one away', async () => {
    const ada = await makePerson();
    const begun = await begin();
    const page = await Page.open(`${cluster.hub(0).url}/device`);

    await page.does({ code: begun.userCode, user: ada.name, password: PASSWORD }, 'form', 'submit');
    await page.does({}, 'deny', 'click');

    expect(code(await redeem(begun.deviceCode))).toEqual([400, 'access_denied']);
  });
});
