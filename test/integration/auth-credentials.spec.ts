import { generateKeyPairSync, randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as inFolder } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, SignJWT, type JWK } from 'jose';
import pg from 'pg';
import { WebSocket } from 'ws';
import { joinBroker } from '../../src/broker/join.js';
import { proofFields, type Showing, type ShownFields } from '../../src/broker/proof.js';
import { makeOpaque } from '../../src/hub/auth/opaque-token.js';
import { Api } from '../support/api.js';
import { Cluster } from '../support/cluster.js';
import { AGENT_TOKENS_PATH } from '../../src/protocol/version.js';
import { CLUSTER_SECRET } from '../support/hub-process.js';
import { expectNoLeaks } from '../support/leaks.js';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const SEAL_KEY = randomBytes(32).toString('hex');
/** As talkative as a hub can be made. */
const TALKATIVE = { FAIRLEAD_SEAL_KEYS: SEAL_KEY, FAIRLEAD_LOG_LEVEL: 'trace' };

type Member = { id: string; key: KeyObject; hubId: string; accessToken: string };

let cluster: Cluster;
let sql: pg.Client;
let broker: Member;
/** Everything secret that this file has sent or been given. */
const secrets: string[] = [SEAL_KEY, CLUSTER_SECRET];

beforeAll(async () => {
  cluster = await Cluster.start(0);
  await cluster.addReplica(TALKATIVE);
  await cluster.addReplica(TALKATIVE);
  sql = new pg.Client(cluster.database.url);
  await sql.connect();
  const { password } = new URL(cluster.database.url);
  if (password !== '') secrets.push(password);
  secrets.push(cluster.administratorToken);
  broker = await makeBroker();
});

afterAll(async () => {
  await sql.end();
  await cluster.stop();
  await expectNoLeaks();
});

const url = (replica: number) => cluster.hub(replica).url;

/** A caller with a credential as its bearer, or with none. */
function ask(method: string, path: string, bearer?: string, body?: unknown, replica = 0) {
  const caller = new Api(url(replica), '');
  return caller.call(method, path, body, { authorization: bearer === undefined ? '' : `Bearer ${bearer}` });
}

async function makeJoinToken(options: object = {}): Promise<string> {
  const { body } = await cluster.api(0).post('/api/v1/join-tokens', options);
  secrets.push(body.token);
  return body.token;
}

async function makePersonalToken(): Promise<{ id: string; token: string }> {
  const { body } = await cluster.api(0).post('/api/v1/tokens', { name: 'of a test' });
  secrets.push(body.token);
  return body;
}

/** The token of a person without a role. Only the first administrator comes by HTTP so far. */
async function makeMemberToken(): Promise<string> {
  const [id, { plain, prefix, hash }] = [randomUUID(), makeOpaque('personal')];
  await sql.query(`insert into hub_user (id, name, role) values ($1, $2, 'member')`, [id, `member-${id}`]);
  await sql.query(
    'insert into personal_token (id, user_id, name, prefix, hash) values ($1, $2, $3, $4, $5)',
    [randomUUID(), id, 'of a test', prefix, hash],
  );
  secrets.push(plain);
  return plain;
}

function join(
  token: string,
  { replica = 0, ...fields }: { replica?: number; [field: string]: unknown } = {},
) {
  return ask(
    'POST',
    '/api/v1/brokers/join',
    undefined,
    {
      token,
      publicKey: generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x,
      name: `broker-${randomUUID()}`,
      fingerprint: 'a'.repeat(64),
      software: 'test/1',
      ...fields,
    },
    replica,
  );
}

async function makeBroker(): Promise<Member> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { body } = await join(await makeJoinToken(), { publicKey: publicKey.export({ format: 'jwk' }).x });
  secrets.push(body.accessToken, String(privateKey.export({ format: 'jwk' }).d));
  return { id: body.brokerId, key: privateKey, hubId: body.hubId, accessToken: body.accessToken };
}

async function makeAssertion({ id, key, hubId }: Member = broker, offS = 0): Promise<string> {
  const iat = Math.floor(Date.now() / 1000) + offS;
  const assertion = await new SignJWT({ iss: id, sub: id, aud: hubId, jti: randomUUID(), iat, exp: iat + 30 })
    .setProtectedHeader({ alg: 'EdDSA' })
    .sign(key);
  secrets.push(assertion);
  return assertion;
}

/** The claims of the broker's access token, signed by the broker itself. */
async function makeForgedAccessToken(): Promise<string> {
  const [head, claims] = broker.accessToken
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
  return new SignJWT(claims).setProtectedHeader(head).sign(broker.key);
}

function exchange(assertion: string, { bearer, replica = 0 }: { bearer?: string; replica?: number } = {}) {
  const body = {
    grant_type: 'client_credentials',
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: assertion,
  };
  return ask('POST', '/api/v1/brokers/token', bearer, body, replica);
}

/** What a broker shows with a request for the control channel: a token, and a proof of its key for this one request. */
async function shown(token: string | undefined, showing: Showing): Promise<Partial<ShownFields>> {
  if (token === undefined) return {};
  const key = broker.key.export({ format: 'jwk' }) as JWK;
  return proofFields(key, token, url(0), showing, Date.now());
}

/** Asks for the control channel over polls. */
async function poll(token?: string): Promise<{ status: number; code?: string }> {
  const body = { connectionId: null, first: 1, frames: [], received: 0 };
  const path = '/api/v1/control/poll';
  const fields = await shown(token, { method: 'POST', path });
  const answer = await new Api(url(0), '').call('POST', path, body, { authorization: '', ...fields });
  return { status: answer.status, code: answer.body.code };
}

/** Asks for the control channel. 101 where it is opened; it is closed again. */
async function upgrade(token?: string): Promise<{ status: number; code?: string }> {
  const path = '/api/v1/control';
  const socket = new WebSocket(`${url(0).replace('http', 'ws')}${path}`, 'fairlead.v1', {
    headers: await shown(token, { method: 'GET', path }),
  });
  const answer = await new Promise<IncomingMessage | undefined>((resolve, reject) => {
    socket.once('open', () => resolve(undefined));
    socket.once('unexpected-response', (_request, response) => resolve(response));
    socket.once('error', reject);
  });
  if (answer !== undefined) {
    return { status: answer.statusCode ?? 0, code: JSON.parse(await text(answer)).code };
  }
  socket.terminate();
  await once(socket, 'close');
  return { status: 101 };
}

/** What an agent of the broker shows, in a run that goes on. */
async function makeAgentToken(): Promise<string> {
  const api = cluster.api(0);
  const agent = { name: `a-${randomUUID()}`, broker: broker.id, spec: { command: 'true' } };
  const { body: made } = await api.post('/api/v1/agents', agent);
  await api.post(`/api/v1/agents/${made.id}/start`);
  const { body: started } = await api.get(`/api/v1/agents/${made.id}`);
  const fields = await shown(broker.accessToken, { method: 'POST', path: AGENT_TOKENS_PATH });
  const run = { agentId: made.id, runId: started.runId };
  const { body } = await new Api(url(0), '').post(AGENT_TOKENS_PATH, run, { ...fields });
  secrets.push(body.token);
  return body.token;
}

/** Asks for what an agent shows. */
async function mint(token?: string): Promise<{ status: number; code?: string }> {
  const run = { agentId: randomUUID(), runId: randomUUID() };
  const fields = await shown(token, { method: 'POST', path: AGENT_TOKENS_PATH });
  const answer = await new Api(url(0), '').post(AGENT_TOKENS_PATH, run, { authorization: '', ...fields });
  return { status: answer.status, code: answer.body.code };
}

const KINDS: Record<string, () => Promise<string>> = {
  'a personal token': async () => (await makePersonalToken()).token,
  'a join token': () => makeJoinToken(),
  'an access token': () => Promise.resolve(broker.accessToken),
  'an access token that a broker signed': makeForgedAccessToken,
  'the token of an agent': makeAgentToken,
  'an assertion': () => makeAssertion(),
  'a personal token that nobody has': () => Promise.resolve(makeOpaque('personal').plain),
  'the seal key': () => Promise.resolve(SEAL_KEY),
};
const allBut = (...kinds: string[]) => Object.keys(KINDS).filter((kind) => !kinds.includes(kind));
const make = (kind: string) => KINDS[kind]!();

describe('one kind of credential', () => {
  type Route = { method: string; path: string; isPersons: boolean; isAgents: boolean };

  /** What the hub says that it serves. */
  async function routes(): Promise<Route[]> {
    const { body } = await ask('GET', '/api/v1/openapi.json');
    return Object.entries<Record<string, { security?: object[] }>>(body.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { security = [] }]) => ({
        method: method.toUpperCase(),
        path: path.replace(/\{\w+\}/g, randomUUID()),
        isPersons: security.some((each) => 'bearer' in each),
        isAgents: security.some((each) => 'agent' in each),
      })),
    );
  }

  const refusals = async (given: Route[], bearer?: string) =>
    Promise.all(
      given.map(async ({ method, path }) => {
        const { status, body } = await ask(method, path, bearer);
        return `${method} ${path} ${status} ${body.code}`;
      }),
    );

  const each = (given: Route[], outcome: string) =>
    given.map(({ method, path }) => `${method} ${path} ${outcome}`);

  it('is needed at every route but those where the body is one, those of the probes, of the public keys, of who signs in, and of brokers', async () => {
    const all = await routes();

    const open = all
      .filter(({ isPersons, isAgents }) => !isPersons && !isAgents)
      .map(({ method, path }) => `${method} ${path}`);

    expect(open.sort()).toEqual([
      'GET /.well-known/jwks.json',
      'GET /api/v1/oidc',
      'GET /api/v1/oidc/begin',
      'GET /api/v1/oidc/callback',
      'GET /livez',
      'GET /readyz',
      'POST /api/v1/brokers/agent-tokens',
      'POST /api/v1/brokers/join',
      'POST /api/v1/brokers/rotate-key',
      'POST /api/v1/brokers/token',
      'POST /api/v1/control/poll',
      'POST /api/v1/device-grants',
      'POST /api/v1/device-grants/redeem',
      'POST /api/v1/invites/redeem',
      'POST /api/v1/sessions',
      'POST /api/v1/sessions/refresh',
      'POST /api/v1/web-sessions',
    ]);
    expect(all.length).toBeGreaterThan(20);
  });

  it('is missing from a request without one, at every route of a person', async () => {
    const persons = (await routes()).filter(({ isPersons }) => isPersons);

    const answers = await refusals(persons);

    expect(answers).toEqual(each(persons, '401 credential_missing'));
  });

  it.each(allBut('a personal token'))('%s is refused at every route of a person', async (kind) => {
    const persons = (await routes()).filter(({ isPersons }) => isPersons);
    const credential = await make(kind);

    const answers = await refusals(persons, credential);

    expect(answers).toEqual(each(persons, '401 credential_invalid'));
  });

  it('is missing from a request without one, at every route of an agent', async () => {
    const agents = (await routes()).filter(({ isAgents }) => isAgents);

    expect(await refusals(agents)).toEqual(each(agents, '401 credential_missing'));
    expect(agents.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /api/v1/self',
      'GET /api/v1/self/messages',
    ]);
  });

  it.each(allBut('the token of an agent'))('%s is refused at every route of an agent', async (kind) => {
    const agents = (await routes()).filter(({ isAgents }) => isAgents);

    expect(await refusals(agents, await make(kind))).toEqual(each(agents, '401 credential_invalid'));
  });

  it('the token of an agent is good at the routes of an agent, at either replica', async () => {
    const token = await makeAgentToken();

    const answers = await Promise.all(
      [0, 1].map((replica) => ask('GET', '/api/v1/self', token, undefined, replica)),
    );

    expect(answers.map(({ status, body }) => [status, body.broker.id])).toEqual([
      [200, broker.id],
      [200, broker.id],
    ]);
  });

  it('that is good is good by no other road than the header', async () => {
    const { token } = await makePersonalToken();

    const answers = await Promise.all([
      ask('GET', `/api/v1/me?access_token=${token}&token=${token}`),
      new Api(url(0), '').call('GET', '/api/v1/me', undefined, { authorization: `Basic ${token}` }),
      new Api(url(0), '').call('GET', '/api/v1/me', undefined, {
        authorization: '',
        cookie: `token=${token}`,
      }),
      new Api(url(0), '').call('GET', '/api/v1/me', undefined, { authorization: token }),
    ]);

    expect(answers.map(({ body }) => body.code)).toEqual(Array(4).fill('credential_missing'));
  });

  it('a personal token is good at the routes of a person', async () => {
    const { token } = await makePersonalToken();

    const answers = await Promise.all(
      [0, 1].map((replica) => ask('GET', '/api/v1/me', token, undefined, replica)),
    );

    expect(answers.map(({ status, body }) => [status, body.name, body.role])).toEqual([
      [200, 'admin', 'admin'],
      [200, 'admin', 'admin'],
    ]);
  });

  it.each([
    ['GET', '/api/v1/join-tokens', undefined],
    ['POST', '/api/v1/join-tokens', {}],
    ['DELETE', `/api/v1/join-tokens/${randomUUID()}`, undefined],
    ['GET', '/api/v1/invites', undefined],
    ['DELETE', `/api/v1/invites/${randomUUID()}`, undefined],
  ])('a personal token without the role is known and may not: %s %s', async (method, path, body) => {
    const token = await makeMemberToken();

    const { status, body: problem } = await ask(method, path, token, body);

    expect([status, problem.code]).toEqual([403, 'forbidden']);
    expect((await ask('GET', '/api/v1/me', token)).body.role).toBe('member');
  });

  it.each(allBut('an access token'))('%s is refused at the control channel', async (kind) => {
    const credential = await make(kind);

    const answers = [await upgrade(credential), await poll(credential), await mint(credential)];

    expect(answers).toEqual(Array(3).fill({ status: 401, code: 'credential_invalid' }));
  });

  it('an access token opens the control channel, and no credential does not', async () => {
    const missing = { status: 401, code: 'credential_missing' };

    expect(await upgrade(broker.accessToken)).toEqual({ status: 101 });
    expect([await upgrade(), await poll(), await mint()]).toEqual([missing, missing, missing]);
  });

  it.each(allBut('an assertion'))('%s is refused where an assertion belongs', async (kind) => {
    const credential = await make(kind);

    const { status, body } = await exchange(credential, { bearer: cluster.administratorToken });

    expect([status, body.code]).toEqual([401, 'credential_invalid']);
  });

  it('an assertion is exchanged once, at either replica, for what opens the control channel', async () => {
    const assertion = await makeAssertion();

    const answers = await Promise.all([0, 1].map((replica) => exchange(assertion, { replica })));

    const [given] = answers.filter(({ status }) => status === 200);
    secrets.push(given?.body.access_token);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401]);
    expect(given?.headers.get('cache-control')).toBe('no-store');
    expect(await upgrade(given?.body.access_token)).toEqual({ status: 101 });
  });

  it('an access token opens the control channel also once the key that signed it was rotated, at either replica', async () => {
    const { status, body: made } = await cluster.api(0).post('/api/v1/signing-keys/rotate', {});
    const published = await Promise.all(
      [0, 1].map(async (replica) => (await fetch(`${url(replica)}/.well-known/jwks.json`)).json()),
    );
    const { body: fresh } = await exchange(await makeAssertion());
    secrets.push(fresh.access_token);

    expect(status).toBe(200);
    expect(decodeProtectedHeader(fresh.access_token).kid).toBe(made.id);
    expect([await upgrade(broker.accessToken), await upgrade(fresh.access_token)]).toEqual([
      { status: 101 },
      { status: 101 },
    ]);
    const { keys } = published[0] as { keys: JWK[] };
    expect(keys.map(({ kid }) => kid)).toEqual([made.id, decodeProtectedHeader(broker.accessToken).kid]);
    expect(JSON.stringify(published)).not.toContain('"d"');
    await expect(jwtVerify(fresh.access_token, createLocalJWKSet({ keys }))).resolves.toBeDefined();
    expect((await cluster.api(1).get('/api/v1/signing-keys')).body.items).toMatchObject([
      { id: made.id, retiredAt: null },
      { retiredAt: expect.any(String) },
    ]);
  });

  it('a join token whose one seat is taken brings the machine that has taken it its broker back', async () => {
    const home = await mkdtemp(inFolder(tmpdir(), 'fairlead-join-'));
    try {
      const token = await makeJoinToken();
      const first = await joinBroker({ home, urls: [url(0)], token, name: `b-${randomUUID()}` });
      // As though the machine had died before the answer came.
      await rm(inFolder(home, 'broker.json'));

      const again = await joinBroker({ home, urls: [url(1)], token, name: `b-${randomUUID()}` });

      expect(again).toEqual(first);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });

  it.each(allBut('a join token'))('%s is refused where a join token belongs', async (kind) => {
    const credential = await make(kind);

    const { status, body } = await join(credential);

    expect(['join_token_invalid', 'request_invalid']).toContain(body.code);
    expect([400, 401]).toContain(status);
  });

  it('that carries an own claim to be somebody is not believed: the credential tells who calls', async () => {
    const token = await makeMemberToken();

    const { body } = await new Api(url(0), token).get('/api/v1/me', {
      'x-forwarded-user': 'admin',
      'x-user': 'admin',
      'x-role': 'admin',
      'x-forwarded-for': '127.0.0.1',
    });

    expect(body).toMatchObject({ role: 'member', name: expect.stringMatching(/^member-/) });
  });

  it.each<[string, string, object | undefined]>([
    ['GET', '/api/v1/me?userId=:admin&user=admin', undefined],
    ['GET', '/api/v1/tokens?userId=:admin', undefined],
    ['POST', '/api/v1/tokens', { name: 'of a test', userId: ':admin', createdBy: ':admin' }],
    ['PUT', '/api/v1/me/password', { password: 'correct horse battery', user: 'admin' }],
    ['DELETE', '/api/v1/sessions?userId=:admin', undefined],
  ])(
    'that names somebody else beside its credential gets nothing of theirs: %s %s (pitfall 37)',
    async (method, path, body) => {
      const admin = (await cluster.api(0).get('/api/v1/me')).body;
      const before = (await cluster.api(0).get('/api/v1/tokens?limit=500')).body.items.length;
      const token = await makeMemberToken();
      const fill = (text: string) => text.replaceAll(':admin', admin.userId);

      const answer = await ask(
        method,
        fill(path),
        token,
        body === undefined ? undefined : JSON.parse(fill(JSON.stringify(body))),
      );

      // A field that a route does not know is refused, and a query that it does not read is as though it were not there.
      expect([200, 204, 400]).toContain(answer.status);
      const text = JSON.stringify(answer.body);
      for (const id of [admin.userId, admin.credentialId]) expect(text).not.toContain(id);
      expect((await cluster.api(0).get('/api/v1/tokens?limit=500')).body.items).toHaveLength(before);
      expect((await cluster.api(0).get('/api/v1/me')).status).toBe(200);
    },
  );
});

describe('over two replicas', () => {
  it('twenty joins that race for five seats get five, each with a name of its own', async () => {
    const token = await makeJoinToken({ seats: 5 });

    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => join(token, { replica: index % 2 })),
    );

    for (const { body } of answers) if (body.accessToken !== undefined) secrets.push(body.accessToken);
    const codes = answers.map(({ status, body }) => `${status} ${body.code ?? 'joined'}`).sort();
    expect(codes).toEqual([...Array(5).fill('201 joined'), ...Array(15).fill('401 join_token_invalid')]);
  });

  it('a join token that is revoked at one lets nobody in at the other', async () => {
    const { body: made } = await cluster.api(0).post('/api/v1/join-tokens', { seats: 2 });
    secrets.push(made.token);

    await cluster.api(0).call('DELETE', `/api/v1/join-tokens/${made.id}`);
    const { status, body } = await join(made.token, { replica: 1 });

    expect([status, body.code]).toEqual([401, 'join_token_invalid']);
  });

  it('the labels of the join token win over what the broker says as it joins', async () => {
    const token = await makeJoinToken({ labels: { zone: 'of the token' } });

    const { body: joined } = await join(token, { labels: { zone: 'of the broker', rack: '7' } });

    secrets.push(joined.accessToken);
    const { body } = await cluster.api(1).get(`/api/v1/brokers/${joined.brokerId}`);
    expect(body.labels).toEqual({ zone: 'of the token', rack: '7' });
  });

  it('a personal token that is revoked is refused at once where that was done, and by who has not seen it', async () => {
    const { id, token } = await makePersonalToken();
    const before = await ask('GET', '/api/v1/me', token);

    const revoking = await cluster.api(0).call('DELETE', `/api/v1/tokens/${id}`);
    const after = await Promise.all(
      [0, 1].map((replica) => ask('GET', '/api/v1/me', token, undefined, replica)),
    );

    expect([before.status, revoking.status]).toEqual([200, 204]);
    expect(after.map(({ status, body }) => [status, body.code])).toEqual([
      [401, 'credential_invalid'],
      [401, 'credential_invalid'],
    ]);
  });

  it('a broker whose keys were retired is told 403 broker_revoked', async () => {
    const revoked = await makeBroker();
    await sql.query('update broker_key set retired_at = now() where broker_id = $1', [revoked.id]);

    const { status, body } = await exchange(await makeAssertion(revoked), { replica: 1 });

    expect([status, body.code]).toEqual([403, 'broker_revoked']);
  });

  it.each([0, 1])(
    'a broker whose clock is off is told the time of the hub with its 401, at %d',
    async (replica) => {
      const { status, body } = await exchange(await makeAssertion(broker, -600), { replica });

      expect([status, body.code]).toEqual([401, 'clock_skew']);
      expect(Math.abs(Date.parse(body.hubTime) - Date.now())).toBeLessThan(10_000);
    },
  );

  it('a token is shown when it is made, and never again', async () => {
    const { token } = await makePersonalToken();
    const joinToken = await makeJoinToken();

    const lists = await Promise.all(
      ['/api/v1/tokens?limit=100', '/api/v1/join-tokens?limit=100'].map((path) => cluster.api(1).get(path)),
    );

    expect(lists.map(({ status }) => status)).toEqual([200, 200]);
    const shown = JSON.stringify(lists.map(({ body }) => body));
    expect([token, joinToken].filter((secret) => shown.includes(secret))).toEqual([]);
    expect(shown).toContain(token.slice(0, 12));
  });
});

/** The last of this file, since it judges what all of the others have left in the logs. */
describe('a secret', () => {
  /** Bodies that are refused in every way that a body can be, each with a token in it. */
  const broken = (secret: string): [string, string][] => [
    ['/api/v1/brokers/join', `{"token": ${secret}`],
    ['/api/v1/brokers/join', `{"token": "${secret}"`],
    ['/api/v1/brokers/join', JSON.stringify({ token: secret, [secret]: secret, name: secret })],
    ['/api/v1/brokers/token', JSON.stringify({ client_assertion: [secret], grant_type: secret })],
    ['/api/v1/brokers/token', JSON.stringify(secret)],
    ['/api/v1/brokers/token', JSON.stringify({ client_assertion: secret.repeat(200) })],
    ['/api/v1/join-tokens', `{"seats": ${secret}}`],
  ];

  it('comes back in no answer to a request that is refused for its form', async () => {
    const secret = await makeJoinToken();

    const answers = await Promise.all(
      broken(secret).map(async ([path, body]) => {
        const headers = { 'content-type': 'application/json', authorization: `Bearer ${secret}` };
        const response = await fetch(`${url(0)}${path}`, { method: 'POST', headers, body });
        return { status: response.status, body: await response.text() };
      }),
    );

    expect(answers.filter(({ status }) => status < 400 || status >= 500)).toEqual([]);
    // A field that is not known is named, which a sender must expect; no value is.
    const values = answers.filter((_answer, index) => index !== 2);
    expect(values.filter(({ body }) => body.includes(secret))).toEqual([]);
  });

  it('that was sent, given out or configured stands in nothing that a hub tells of itself, and in no row', async () => {
    const told = await Promise.all(
      [
        '/metrics',
        '/health',
        '/api/v1/audit?limit=500',
        '/api/v1/audit/export',
        '/api/v1/brokers',
        '/api/v1/strays',
      ]
        .concat('/api/v1/trails', '/api/v1/replicas', '/api/v1/projects', '/api/v1/agents')
        .map((path) => cluster.api(0).get(path)),
    );
    const { rows: tables } = await sql.query(
      `select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`,
    );
    const rows: pg.QueryResult[] = [];
    for (const { relname } of tables)
      rows.push(await sql.query(`select each::text as row from ${relname} each`));

    const all = [
      ...told.map(({ body }) => JSON.stringify(body)),
      ...rows.map((found) => JSON.stringify(found.rows)),
    ];
    expect(told.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(tables.length).toBeGreaterThan(15);
    expect(secrets.filter((secret) => all.some((text) => text.includes(secret)))).toEqual([]);
  });

  it('that was sent, given out or configured stands in no line of any log', async () => {
    const { token } = await makePersonalToken();
    await ask('GET', `/api/v1/me?token=${token}`, token);
    await ask('GET', `/api/v1/no-such?token=${token}`, token);
    const misplaced = [...new Set(secrets)].map((secret) => encodeURIComponent(secret));
    for (const secret of misplaced) await ask('GET', `/api/v1/no-such/${secret}`, token);
    for (const secret of misplaced) await ask('DELETE', `/api/v1/tokens/${secret}`, token);
    const failed = await joinInVain();

    const codes = await Promise.all(cluster.hubs.map((hub) => hub.stop()));

    expect(failed.status).toBe(500);
    expect(codes).toEqual([0, 0]);
    expect(new Set(secrets).size).toBeGreaterThan(20);
    for (const { lines } of cluster.hubs) {
      const log = lines.map((line) => JSON.stringify(line)).join('\n');
      expect(log).toContain('the hub is ready');
      expect(secrets.filter((secret) => log.includes(secret))).toEqual([]);
    }
    expect(cluster.hub(0).lines.map(({ msg }) => msg)).toContain('a request failed');
    expect(cluster.hub(0).lines.map(({ path }) => path)).toContain('/api/v1/tokens/[left out]');
  });

  /** The table is away, so the statement with the token's hash fails within the hub, which logs the fault. */
  async function joinInVain() {
    const { plain } = makeOpaque('join');
    secrets.push(plain);
    await sql.query('alter table join_token rename to hidden');
    return join(plain).finally(() => sql.query('alter table hidden rename to join_token'));
  }
});
