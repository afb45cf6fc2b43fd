import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { Api } from '../support/api.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';

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

type User = { id: string; name: string; token: string; api: Api };

/** A user with a token of its own. */
async function makeUser(given: { role?: string; email?: string } = {}, token: object = {}): Promise<User> {
  const { body: user } = await admin.post('/api/v1/users', { name: `u-${randomUUID()}`, ...given });
  const { body: made } = await admin.post(`/api/v1/users/${user.id}/tokens`, { name: 'of a test', ...token });
  return { ...user, token: made.token, api: new Api(cluster.hub(0).url, made.token) };
}

async function makeProject(): Promise<{ id: string; name: string }> {
  return (await admin.post('/api/v1/projects', { name: `p-${randomUUID()}` })).body;
}

const setMember = (project: string, user: string, role: string, by = admin) =>
  by.call('PUT', `/api/v1/projects/${project}/members/${user}`, { role });

/** A user who is a member of a project. */
async function makeMember(project: string, role: string): Promise<User> {
  const user = await makeUser();
  expect((await setMember(project, user.id, role)).status).toBe(200);
  return user;
}

async function makeBroker(...projects: string[]): Promise<string> {
  const id = uuidv7();
  await sql.query(
    `insert into broker (id, name, fingerprint, software, is_shared) values ($1, 'b-' || $1::uuid::text, '', 'it/1', true)`,
    [id],
  );
  for (const project of projects) await admin.post(`/api/v1/projects/${project}/attachments`, { broker: id });
  return id;
}

async function makeAgent(broker: string, project?: string, by = admin) {
  const body = { name: `a-${randomUUID()}`, broker, project, spec: { command: 'true' } };
  return by.post('/api/v1/agents', body);
}

const ids = (answer: { body: { items: { id: string }[] } }) => answer.body.items.map(({ id }) => id);
const code = ({ status, body }: { status: number; body: any }) => [status, body?.code];

describe('users', () => {
  it('are made, listed, changed, disabled and enabled by administrators', async () => {
    const name = `ada-${randomUUID()}`;
    const made = await admin.post('/api/v1/users', { name, email: `Ada.${name}@Example.com` });
    const changed = await admin.call('PATCH', `/api/v1/users/${name}`, { role: 'admin' });
    const disabled = await admin.call('DELETE', `/api/v1/users/${name}`);
    const listed = await admin.get('/api/v1/users?limit=500');
    const all = await admin.get('/api/v1/users?limit=500&disabled=true');
    const enabled = await admin.post(`/api/v1/users/${name}/enable`);

    expect(made).toMatchObject({
      status: 201,
      body: { name, email: `ada.${name}@example.com`, role: 'member', disabledAt: null },
    });
    expect(changed.body).toMatchObject({ id: made.body.id, role: 'admin', email: made.body.email });
    expect(disabled).toMatchObject({ status: 200, body: { disabledAt: expect.stringMatching(/Z$/) } });
    expect(ids(listed)).not.toContain(made.body.id);
    expect(ids(all)).toContain(made.body.id);
    expect(enabled.body.disabledAt).toBeNull();
    const { body: audit } = await admin.get(`/api/v1/audit?subject=${made.body.id}`);
    expect(audit.items.map(({ act, outcome }: any) => `${act} ${outcome}`)).toEqual([
      'user.enable done',
      'user.disable done',
      'user.update done',
      'user.create done',
    ]);
    await admin.call('DELETE', `/api/v1/users/${name}`);
  });

  it('have a name and an address that no other has, in whatever case', async () => {
    const email = `${randomUUID()}@example.com`;
    const { name } = await makeUser({ email });
    const other = await makeUser();

    const taken = [
      await admin.post('/api/v1/users', { name }),
      await admin.post('/api/v1/users', { name: `u-${randomUUID()}`, email: email.toUpperCase() }),
      await admin.call('PATCH', `/api/v1/users/${other.id}`, { email: email.toUpperCase() }),
    ];

    expect(taken.map(code)).toEqual([
      [409, 'user_name_taken'],
      [409, 'email_taken'],
      [409, 'email_taken'],
    ]);
  });

  it.each([
    ['an address of 255 characters', { email: `${'a'.repeat(64)}@${'b'.repeat(186)}.com` }],
    ['an address without a domain', { email: 'ada@' }],
    ['an address with a letter that has more than one lower case', { email: 'ad\u0130@example.com' }],
    ['a role that is none', { role: 'root' }],
    ['a name with upper case', { name: 'Ada' }],
    ['a field that is not known', { password: 'x' }],
  ])('are not made with %s', async (_what, body) => {
    const answer = await admin.post('/api/v1/users', { name: `u-${randomUUID()}`, ...body });

    expect(code(answer)).toEqual([400, 'request_invalid']);
  });

  it('are no business of members', async () => {
    const { api, id } = await makeUser();

    const answers = [
      await api.get('/api/v1/users'),
      await api.post('/api/v1/users', { name: 'x' }),
      await api.call('PATCH', `/api/v1/users/${id}`, { role: 'admin' }),
      await api.call('DELETE', `/api/v1/users/${id}`),
      await api.post(`/api/v1/users/${id}/tokens`, { name: 'x' }),
    ];

    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403]);
  });

  it('that are disabled are refused on every replica within a second, and let in again after', async () => {
    const { token, id } = await makeUser();
    const everywhere = [0, 1].map((index) => new Api(cluster.hub(index).url, token));
    const statuses = () => Promise.all(everywhere.map(async (api) => (await api.get('/api/v1/me')).status));
    expect(await statuses()).toEqual([200, 200]);

    await admin.call('DELETE', `/api/v1/users/${id}`);

    expect((await everywhere[0]?.get('/api/v1/me'))?.status).toBe(401);
    await eventually(async () => (await statuses()).every((status) => status === 401), { withinMs: 1_000 });
    await admin.post(`/api/v1/users/${id}/enable`);
    await eventually(async () => (await statuses()).every((status) => status === 200), { withinMs: 1_000 });
  });

  it('never lose their last active administrator, whoever asks at the same time', async () => {
    const { userId: first } = (await admin.get('/api/v1/me')).body;
    const alone = [
      await admin.call('DELETE', `/api/v1/users/${first}`),
      await admin.call('PATCH', `/api/v1/users/${first}`, { role: 'member' }),
    ];
    const second = await makeUser({ role: 'admin' });

    const both = await Promise.all([
      admin.call('DELETE', `/api/v1/users/${second.id}`),
      second.api.at(cluster.hub(1).url).call('PATCH', `/api/v1/users/${first}`, { role: 'member' }),
    ]);

    expect(alone.map(code)).toEqual([
      [409, 'last_administrator'],
      [409, 'last_administrator'],
    ]);
    const { rows } = await sql.query(`select id from hub_user where role = 'admin' and disabled_at is null`);
    expect(rows).toHaveLength(1);
    expect(both.map(({ status }) => status).sort()).toEqual([200, expect.any(Number)]);
    // Whichever won, the tests go on as the first.
    await sql.query(`update hub_user set role = 'admin', disabled_at = null where id = $1`, [first]);
    await eventually(async () => (await admin.get('/api/v1/users')).status === 200, { withinMs: 35_000 });
  });
});

describe('a project', () => {
  let own: { id: string; name: string };
  let foreign: { id: string; name: string };
  let broker: string;
  let foreignBroker: string;
  let somebody: User;
  let callers: Record<'viewer' | 'operator' | 'admin' | 'stranger', User>;

  beforeAll(async () => {
    [own, foreign] = [await makeProject(), await makeProject()];
    broker = await makeBroker(own.id);
    foreignBroker = await makeBroker(foreign.id);
    somebody = await makeUser();
    const [viewer, operator, head, stranger] = await Promise.all([
      makeMember(own.id, 'viewer'),
      makeMember(own.id, 'operator'),
      makeMember(own.id, 'admin'),
      makeMember(foreign.id, 'admin'),
    ]);
    callers = { viewer, operator, admin: head, stranger };
  });

  /** Each route for what belongs to a project: what it asks for, by whom at least, and what it answers with then. */
  const ROUTES: [string, string, object | undefined, 'viewer' | 'operator' | 'admin'][] = [
    ['GET', '/projects/:project', undefined, 'viewer'],
    ['GET', '/projects/:project/members', undefined, 'viewer'],
    ['GET', '/projects/:project/attachments', undefined, 'viewer'],
    ['GET', '/projects/:project/attachments/:broker', undefined, 'viewer'],
    ['GET', '/projects/:project/brokers', undefined, 'viewer'],
    ['GET', '/projects/:project/brokers/:broker/why', undefined, 'viewer'],
    ['GET', '/projects/:project/messages', undefined, 'viewer'],
    ['GET', '/brokers/:broker', undefined, 'viewer'],
    ['GET', '/brokers/:broker/history', undefined, 'viewer'],
    ['GET', '/brokers/:broker/attachments', undefined, 'viewer'],
    ['GET', '/agents?project=:project', undefined, 'viewer'],
    ['GET', '/agents?broker=:broker', undefined, 'viewer'],
    ['GET', '/agents/:agent', undefined, 'viewer'],
    ['GET', '/agents/:agent/messages', undefined, 'viewer'],
    ['GET', '/strays?agent=:agent', undefined, 'viewer'],
    ['GET', '/dispatches?project=:project', undefined, 'viewer'],
    ['GET', '/dispatches/:dispatch', undefined, 'viewer'],
    ['GET', '/dispatches/:dispatch/trail', undefined, 'viewer'],
    ['GET', '/dispatches/:dispatch/why', undefined, 'viewer'],
    ['GET', '/trails?broker=:broker', undefined, 'viewer'],
    ['POST', '/brokers/:broker/dispatches', { op: 'broker.ping', project: ':project' }, 'operator'],
    ['POST', '/agents/:agent/messages', { text: 'hello' }, 'operator'],
    ['POST', '/projects/:project/messages', { text: 'hello' }, 'operator'],
    ['POST', '/agents/:agent/start', undefined, 'operator'],
    [
      'POST',
      '/agents',
      { name: ':new', broker: ':broker', project: ':project', spec: { command: 'true' } },
      'operator',
    ],
    ['POST', '/dispatches/:dispatch/cancel', undefined, 'operator'],
    ['POST', '/dispatches/:dispatch/redrive', undefined, 'operator'],
    ['DELETE', '/agents/:agent', undefined, 'operator'],
    ['PUT', '/projects/:project/members/:somebody', { role: 'viewer' }, 'admin'],
    ['DELETE', '/projects/:project/members/:somebody', undefined, 'admin'],
  ];
  const RANKS = ['viewer', 'operator', 'admin'];

  it.each(ROUTES)('has %s %s for its members alone', async (method, path, body, least) => {
    const agent = (await makeAgent(broker, own.id)).body.id;
    const ping = { op: 'broker.ping', project: own.id };
    const { dispatch } = (await admin.post(`/api/v1/brokers/${broker}/dispatches`, ping)).body;
    const fill = (text: string) =>
      text
        .replaceAll(':project', own.id)
        .replaceAll(':broker', broker)
        .replaceAll(':agent', agent)
        .replaceAll(':dispatch', dispatch.id)
        .replaceAll(':somebody', somebody.id)
        .replaceAll(':new', `a-${randomUUID()}`);
    const ask = (caller: keyof typeof callers) =>
      callers[caller].api.call(
        method,
        `/api/v1${fill(path)}`,
        body === undefined ? undefined : JSON.parse(fill(JSON.stringify(body))),
      );

    const byStranger = await ask('stranger');
    const denied = await Promise.all(
      RANKS.slice(0, RANKS.indexOf(least)).map((role) => ask(role as keyof typeof callers)),
    );
    const allowed = await ask(least);

    expect(code(byStranger)).toEqual([404, 'not_found']);
    expect(denied.map(code)).toEqual(denied.map(() => [403, 'forbidden']));
    // A ping that is live cannot be done again; that is the answer of whoever may ask for it.
    if (path.endsWith('/redrive')) expect(code(allowed)).toEqual([409, 'not_redrivable']);
    else expect([200, 201, 202, 204]).toContain(allowed.status);
  });

  it('shows in lists what is its own, and nothing of others', async () => {
    const mine = (await makeAgent(broker, own.id)).body.id;
    const theirs = (await makeAgent(foreignBroker, foreign.id)).body.id;
    const nobodys = (await makeAgent(broker)).body.id;
    const ping = (of: string, project?: string) =>
      admin.post(`/api/v1/brokers/${of}/dispatches`, { op: 'broker.ping', project });
    const commands = [await ping(broker, own.id), await ping(foreignBroker, foreign.id), await ping(broker)];
    const [ours, , hubs] = commands.map(({ body }) => body.dispatch.id);

    const { api } = callers.viewer;
    const [agents, dispatches, trails, brokers, projects] = await Promise.all(
      ['agents', 'dispatches', 'trails', 'brokers', 'projects'].map(async (list) =>
        ids(await api.get(`/api/v1/${list}?limit=500`)),
      ),
    );

    expect(agents).toContain(mine);
    expect(agents).not.toContain(theirs);
    expect(agents).not.toContain(nobodys);
    expect(dispatches).toContain(ours);
    expect(dispatches).not.toContain(hubs);
    expect(trails).toEqual([...(dispatches ?? [])].reverse());
    expect(brokers).toEqual([broker]);
    expect(projects).toEqual([own.id]);
    expect((await api.get(`/api/v1/dispatches/${hubs}`)).status).toBe(404);
    expect((await api.get(`/api/v1/agents/${nobodys}`)).status).toBe(404);
  });

  it('is not got round by a batch, a message to many, or a redrive of all', async () => {
    const mine = (await makeAgent(broker, own.id)).body.id;
    const theirs = (await makeAgent(foreignBroker, foreign.id)).body.id;
    const { api } = callers.operator;
    const op = 'broker.ping';

    const batch = await api.post('/api/v1/dispatches/batch', {
      items: [
        { broker, project: own.id, op },
        { broker, op },
        { broker, project: foreign.id, op },
        { broker: foreignBroker, project: foreign.id, op },
      ],
    });
    const sent = await api.post('/api/v1/messages', { agents: [mine, theirs], text: 'hello' });
    const dispatch = (
      await admin.post(`/api/v1/brokers/${foreignBroker}/dispatches`, { op, project: foreign.id })
    ).body.dispatch.id;
    await admin.post(`/api/v1/dispatches/${dispatch}/cancel`);
    const redriven = await api.post('/api/v1/dispatches/redrive', { state: 'cancelled' });

    expect(batch.body.items.map(({ problem }: any) => problem?.code ?? null)).toEqual([
      null,
      'forbidden',
      'not_found',
      'not_found',
    ]);
    expect(sent.body).toMatchObject({ accepted: 1, refused: 1 });
    expect(redriven.body.redriven.map(({ from }: any) => from)).not.toContain(dispatch);
    expect((await makeAgent(broker, undefined, api)).status).toBe(403);
  });

  it('is known to a member within a second of being let in, on every replica, and gone as fast', async () => {
    const user = await makeUser();
    const there = user.api.at(cluster.hub(1).url);
    const status = async () => (await there.get(`/api/v1/projects/${own.name}`)).status;
    expect(await status()).toBe(404);

    await setMember(own.name, user.name, 'viewer');
    await eventually(async () => (await status()) === 200, { withinMs: 1_000 });
    await admin.call('DELETE', `/api/v1/projects/${own.name}/members/${user.name}`);

    await eventually(async () => (await status()) === 404, { withinMs: 1_000 });
  });

  it('lets its administrators say who is a member, and nothing of the hub', async () => {
    const user = await makeUser();

    const set = await setMember(own.id, user.name, 'operator', callers.admin.api);
    const removed = await callers.admin.api.call('DELETE', `/api/v1/projects/${own.id}/members/${user.name}`);
    const attached = await callers.admin.api.post(`/api/v1/projects/${own.id}/attachments`, { broker });

    expect(set).toMatchObject({ status: 200, body: { name: user.name, role: 'operator' } });
    expect([removed.status, attached.status]).toEqual([204, 403]);
    const { body } = await admin.get(`/api/v1/audit?subject=${own.id}&act=member.remove`);
    expect(body.items[0]).toMatchObject({ actor: { id: callers.admin.id }, detail: { user: user.id } });
  });

  it('has a bounded number of members, and a member a bounded number of projects', async () => {
    const [full, user] = [await makeProject(), await makeUser()];
    await sql.query(
      `with made as (
         insert into hub_user (id, name, role)
         select gen_random_uuid(), 'm-' || gen_random_uuid(), 'member' from generate_series(1, 1000) returning id
       )
       insert into project_member (project_id, user_id, role, added_by) select $1, id, 'viewer', id from made`,
      [full.id],
    );
    await sql.query(
      `insert into project_member (project_id, user_id, role, added_by)
       select gen_random_uuid(), $1, 'viewer', $1 from generate_series(1, 500)`,
      [user.id],
    );

    const answers = [
      await setMember(full.id, callers.viewer.id, 'viewer'),
      await setMember(own.id, user.id, 'viewer'),
    ];

    expect(answers.map(code)).toEqual([
      [422, 'too_many_members'],
      [422, 'too_many_projects'],
    ]);
  });

  it('takes no members who are disabled, and none once it is archived', async () => {
    const [user, over] = [await makeUser(), await makeProject()];
    await admin.call('DELETE', `/api/v1/users/${user.id}`);
    await admin.post(`/api/v1/projects/${over.id}/archive`);

    const answers = [
      await setMember(own.id, user.id, 'viewer'),
      await setMember(over.id, callers.viewer.id, 'viewer'),
    ];

    expect(answers.map(code)).toEqual([
      [404, 'not_found'],
      [409, 'project_archived'],
    ]);
  });
});

describe('a personal token', () => {
  it('for reading reads what its holder may, and changes nothing', async () => {
    const { api } = await makeUser({ role: 'admin' }, { access: 'read' });

    expect((await api.get('/api/v1/users')).status).toBe(200);
    expect(code(await api.post('/api/v1/users', { name: 'x' }))).toEqual([403, 'forbidden']);
    expect(code(await api.post('/api/v1/tokens', { name: 'x' }))).toEqual([403, 'forbidden']);
  });

  it('for some projects gives nothing but these, and no role in the hub, whoever holds it', async () => {
    const [one, other] = [await makeProject(), await makeProject()];
    const { body } = await admin.post('/api/v1/tokens', { name: 'of one', projects: [one.id] });
    const limited = new Api(cluster.hub(0).url, body.token);

    const projects = await limited.get('/api/v1/projects');
    const me = await limited.get('/api/v1/me');
    const answers = [
      await limited.get(`/api/v1/projects/${other.id}`),
      await limited.get('/api/v1/users'),
      await limited.post('/api/v1/tokens', { name: 'more' }),
      await limited.call('DELETE', `/api/v1/tokens/${(await admin.get('/api/v1/me')).body.credentialId}`),
      await setMember(one.id, (await makeUser()).id, 'viewer', limited),
    ];

    expect(body.projects).toEqual([one.id]);
    expect(ids(projects)).toEqual([one.id]);
    expect(me.body).toMatchObject({ role: 'member', projects: [{ project: one.id, role: 'admin' }] });
    expect(answers.map(({ status }) => status)).toEqual([404, 403, 403, 403, 200]);
  });

  it('is not made for a project that its holder does not see, or that there is not', async () => {
    const { api } = await makeUser();
    const { id } = await makeProject();

    const answers = [
      await api.post('/api/v1/tokens', { name: 'x', projects: [id] }),
      await admin.post('/api/v1/tokens', { name: 'x', projects: [randomUUID()] }),
      await admin.post('/api/v1/tokens', { name: 'x', projects: [] }),
      await admin.post('/api/v1/tokens', {
        name: 'x',
        projects: Array.from({ length: 51 }, () => randomUUID()),
      }),
    ];

    expect(answers.map(({ status }) => status)).toEqual([404, 404, 400, 400]);
  });

  it('tells when it was used last, and is revoked on every replica within a second', async () => {
    const { api, token } = await makeUser();
    const there = new Api(cluster.hub(1).url, token);
    expect((await there.get('/api/v1/me')).status).toBe(200);
    const [row] = (await api.get('/api/v1/tokens')).body.items;

    const revoked = await api.call('DELETE', `/api/v1/tokens/${row.id}`);

    expect(row).toMatchObject({ access: 'write', projects: null, lastUsedAt: expect.stringMatching(/Z$/) });
    expect(token.startsWith(row.prefix)).toBe(true);
    expect(revoked.status).toBe(204);
    await eventually(async () => (await there.get('/api/v1/me')).status === 401, { withinMs: 1_000 });
  });

  it('is one of a hundred at most', async () => {
    const { id, api } = await makeUser();
    await sql.query(
      `insert into personal_token (id, user_id, name, prefix, hash)
       select gen_random_uuid(), $1, 'planted', 'p', decode(md5(random()::text), 'hex') from generate_series(1, 98)`,
      [id],
    );

    const last = await api.post('/api/v1/tokens', { name: 'the hundredth' });
    const past = await api.post('/api/v1/tokens', { name: 'one more' });

    expect(last.status).toBe(201);
    expect(code(past)).toEqual([422, 'too_many_tokens']);
  });
});
