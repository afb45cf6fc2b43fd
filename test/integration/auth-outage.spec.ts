import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SignJWT } from 'jose';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DataSource } from 'typeorm';
import { AccessTokens } from '../../src/hub/auth/access-tokens.js';
import { Assertions } from '../../src/hub/auth/assertions.js';
import { BrokerKeyRepository } from '../../src/hub/auth/broker-key.repository.js';
import { FirstBoot } from '../../src/hub/auth/first-boot.js';
import { makeOpaque } from '../../src/hub/auth/opaque-token.js';
import { Sealer } from '../../src/hub/auth/sealer.js';
import { SigningKeyRepository } from '../../src/hub/auth/signing-key.repository.js';
import { SigningKeys } from '../../src/hub/auth/signing-keys.js';
import { SpentAssertionRepository } from '../../src/hub/auth/spent-assertion.repository.js';
import { Clock } from '../../src/hub/cluster/clock.js';
import { readConfig } from '../../src/hub/config/hub-config.js';
import { Hub } from '../../src/hub/cluster/hub.js';
import { ReplicaRepository } from '../../src/hub/cluster/replica.repository.js';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { Database } from '../../src/hub/database/database.js';
import { DatabaseUnavailable } from '../../src/hub/database/database.errors.js';
import { DatabaseServer } from '../../src/hub/database/server.js';
import { makeHub } from '../../src/hub/hub.js';
import { AGENT_TOKENS_PATH } from '../../src/protocol/version.js';
import { makeHome, runCli } from '../cli/support/run-cli.js';
import { DatabaseProxy } from '../fault/support/database-proxy.js';
import { Api } from '../support/api.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { CLUSTER_SECRET, HubProcess, SEAL_KEY } from '../support/hub-process.js';
import { expectNoLeaks } from '../support/leaks.js';
import { personalTokensOf, SOMEBODY } from './support/personal-tokens.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

/** A way to the database that can be cut: what is open ends, and what is opened ends at once. */
class Way {
  private readonly sockets = new Set<Socket>();
  private isCut = false;

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async to(databaseUrl: string): Promise<Way> {
    const target = new URL(databaseUrl);
    const server = createServer((client) => way.join(client, connect(Number(target.port), target.hostname)));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const url = new URL(databaseUrl);
    url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const way: Way = new Way(server, url.href);
    return way;
  }

  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.isCut = false;
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  private join(client: Socket, server: Socket): void {
    for (const [socket, peer] of [
      [client, server],
      [server, client],
    ] as const) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.sockets.delete(socket);
        peer.destroy();
      });
      if (this.isCut) socket.destroy();
      else socket.pipe(peer);
    }
  }
}

let database: TestDatabase;
let way: Way;

beforeAll(async () => {
  database = await createDatabase();
  way = await Way.to(database.url);
});

afterAll(async () => {
  await way.close();
  await database.drop();
  await expectNoLeaks();
});

afterEach(() => {
  jest.restoreAllMocks();
  way.mend();
});

describe('a hub that cannot reach its database', () => {
  let hub: HubProcess;
  let api: Api;
  let broker: ScriptedBroker;

  beforeAll(async () => {
    hub = await HubProcess.start(way.url);
    api = new Api(hub.url, String(hub.administratorToken));
    broker = await ScriptedBroker.join(api, hub.url);
  });

  afterAll(async () => {
    await hub.kill();
  });

  /** What an administrator makes. The hub may have just lost its connections, so it is asked until it can. */
  async function make(path: string, body: object): Promise<string> {
    const made = await eventually(async () => {
      const answer = await api.post(path, body);
      return answer.status === 201 && answer;
    });
    return made.body.token;
  }

  /** A token that this replica has made and never looked up. */
  const makeToken = () => make('/api/v1/tokens', { name: 'of a test' });

  async function join(token: string) {
    const { publicKey } = generateKeyPairSync('ed25519');
    return new Api(hub.url, '').post('/api/v1/brokers/join', {
      token,
      publicKey: publicKey.export({ format: 'jwk' }).x,
      name: `broker-${randomUUID()}`,
      fingerprint: 'a'.repeat(64),
      software: 'test/1',
    });
  }

  it.each<[string, () => Promise<string>]>([
    ['a good token', makeToken],
    ['a token that nobody has', () => Promise.resolve(makeOpaque('personal').plain)],
  ])('answers a person with %s with 503, and never with 401 or a yes', async (_what, given) => {
    const token = await given();

    way.cut();
    const { status, body, headers } = await new Api(hub.url, token).get('/api/v1/me');

    expect([status, body.code]).toEqual([503, 'database_unavailable']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(headers.get('www-authenticate')).toBeNull();
  });

  it('answers a browser with the cookie of a session that goes on with 503, whatever it asks for', async () => {
    const password = 'correct horse battery';
    const name = `u-${randomUUID()}`;
    await eventually(async () => (await api.post('/api/v1/users', { name })).status === 201);
    const token = await make(`/api/v1/users/${name}/invites`, {});
    await api.post('/api/v1/invites/redeem', { token, password });
    const headers = { 'content-type': 'application/json', origin: hub.url };
    const send = (method: string, path: string, more: object, body?: object) =>
      fetch(`${hub.url}/api/v1${path}`, {
        method,
        headers: { ...headers, ...more },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const begun = await send('POST', '/web-sessions', {}, { user: name, password });
    const { csrfToken } = (await begun.json()) as { csrfToken: string };
    const cookie = String(/^[^;]+/.exec(begun.headers.getSetCookie()[0] ?? ''));

    way.cut();
    const answers = [
      await send('GET', '/me', { cookie }),
      await send('POST', '/tokens', { cookie, 'x-csrf-token': csrfToken }, { name: 'x' }),
    ];

    expect(begun.status).toBe(201);
    expect(answers.map(({ status }) => status)).toEqual([503, 503]);
  });

  it('still says 401 to what is no credential of a person, since that is known without looking', async () => {
    way.cut();
    const { status, body } = await new Api(hub.url, makeOpaque('join').plain).get('/api/v1/me');

    expect([status, body.code]).toEqual([401, 'credential_invalid']);
  });

  it('answers a broker that renews its access with 503', async () => {
    way.cut();
    const renewing = broker.accessToken(hub.url);

    await expect(renewing).rejects.toThrow(/"code":"database_unavailable"/);
  });

  it('answers an agent with a token that was good with 503, and its broker that asks for another', async () => {
    const shown = () => broker.shown(hub.url, { method: 'POST', path: AGENT_TOKENS_PATH });
    const run = await eventually(async () => {
      const agent = { name: `a-${randomUUID()}`, broker: broker.id, spec: { command: 'true' } };
      const { status, body } = await api.post('/api/v1/agents', agent);
      if (status !== 201) return false;
      await api.post(`/api/v1/agents/${body.id}/start`);
      const { runId } = (await api.get(`/api/v1/agents/${body.id}`)).body;
      return { agentId: body.id as string, runId: runId as string };
    });
    const nobody = new Api(hub.url, '');
    const { body } = await nobody.post(AGENT_TOKENS_PATH, run, { ...(await shown()) });
    const agent = new Api(hub.url, body.token);
    const before = await agent.get('/api/v1/self');
    const next = await shown();

    way.cut();
    const answers = [await agent.get('/api/v1/self'), await nobody.post(AGENT_TOKENS_PATH, run, { ...next })];

    expect(before.status).toBe(200);
    expect(answers.map(({ status, body: { code } }) => [status, code])).toEqual([
      [503, 'database_unavailable'],
      [503, 'database_unavailable'],
    ]);
  });

  it('answers a broker that joins with 503, whatever its token', async () => {
    const seat = await make('/api/v1/join-tokens', {});

    way.cut();
    const answers = await Promise.all([join(seat), join(makeOpaque('join').plain)]);

    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [503, 'database_unavailable'],
      [503, 'database_unavailable'],
    ]);
    way.mend();
    await eventually(async () => (await join(seat)).status === 201);
  });

  it('serves all of them again once it can', async () => {
    const token = await makeToken();
    way.cut();
    await new Api(hub.url, token).get('/api/v1/me');

    way.mend();

    await eventually(async () => (await new Api(hub.url, token).get('/api/v1/me')).status === 200);
    await eventually(() => broker.accessToken(hub.url));
  });
});

describe('a hub whose connection breaks under the commit of what somebody asked for', () => {
  let proxy: DatabaseProxy;
  let app: NestFastifyApplication;
  let home: ReturnType<typeof makeHome>;
  let env: Record<string, string>;

  // Nothing of it is started, so that no other transaction commits in between.
  beforeAll(async () => {
    proxy = await DatabaseProxy.start(database.url);
    app = await makeHub(
      readConfig({
        DATABASE_URL: proxy.url,
        FAIRLEAD_SEAL_KEYS: SEAL_KEY,
        FAIRLEAD_CLUSTER_SECRET: CLUSTER_SECRET,
        FAIRLEAD_LOG_LEVEL: 'silent',
      }),
    );
    await app.listen(0, '127.0.0.1');
    home = makeHome();
    const { port } = app.getHttpServer().address() as AddressInfo;
    const source = app.get(DataSource);
    const id = randomUUID();
    await source.query(`insert into hub_user (id, name, role) values ($1, 'breaks', 'admin')`, [id]);
    const { token } = await personalTokensOf(app.get(Database)).create(
      id,
      { name: 'of a test', expiresInS: 3_600 },
      SOMEBODY,
    );
    env = { FAIRLEAD_URL: `http://127.0.0.1:${port}`, FAIRLEAD_TOKEN: token, FAIRLEAD_HOME: home.path };
  });

  afterAll(async () => {
    home.remove();
    await app.close();
    await app.get(DataSource).destroy();
    await app.get(DatabaseServer).close();
    await proxy.stop();
  });

  const count = async (act: string) => {
    const rows = await app
      .get(DataSource)
      .query(`select from audit where act = $1 and outcome = 'done'`, [act]);
    return (rows as unknown[]).length;
  };

  it.each([
    ['join_token.create', ['join-tokens', 'create']],
    ['personal_token.create', ['tokens', 'create', 'another']],
    ['user.password', ['password', '--first', '--password-file', '-']],
    ['invite.create', ['users', 'invite', 'breaks']],
  ])('leaves open whether it was stored, and %s is asked for once', async (act, argv) => {
    const before = await count(act);
    const broken = proxy.lose('answer', 'commit');

    const ran = await runCli([...argv, '--json'], { env, stdin: 'correct horse battery\n' });

    await broken;
    expect([ran.code, ran.json()]).toMatchObject([7, { error: { status: 503, code: 'outcome_unknown' } }]);
    expect(ran.pauses).toEqual([]);
    await eventually(async () => (await count(act)) === before + 1);
  });

  it('says that nothing was stored where the commit was not asked for yet, and is asked again', async () => {
    const before = await count('join_token.create');
    const broken = proxy.lose('question', 'write_audit');

    const ran = await runCli(['join-tokens', 'create', '--json'], { env });

    await broken;
    expect([ran.code, ran.pauses.length]).toEqual([0, 1]);
    expect(await count('join_token.create')).toBe(before + 1);
  });
});

describe('without the database', () => {
  let source: DataSource;
  let token: string;

  beforeEach(async () => {
    source = await makeDataSource(way.url, 'test').initialize();
    token = await makeToken();
  });

  afterEach(async () => {
    await source.destroy();
  });

  /** What one replica remembers of tokens; it begins with nothing. */
  const makeTokens = () => personalTokensOf(new Database(source));

  async function makeToken(): Promise<string> {
    const id = randomUUID();
    const user = [id, `user-${id}`, 'member'];
    await source.query('insert into hub_user (id, name, role) values ($1, $2, $3)', user);
    return (await makeTokens().create(id, { name: 'of a test', expiresInS: 3_600 }, SOMEBODY)).token;
  }

  it('a token that is remembered is good for what is left of 30 s, and then neither good nor bad', async () => {
    const tokens = makeTokens();
    await tokens.authenticate(token);
    const now = performance.now.bind(performance);

    way.cut();
    const at = (ms: number) => {
      jest.spyOn(performance, 'now').mockImplementation(() => now() + ms);
      return tokens.authenticate(token);
    };

    await expect(at(29_000)).resolves.toMatchObject({ kind: 'person' });
    await expect(at(31_000)).rejects.toThrow(DatabaseUnavailable);
  });

  it('an outage is not remembered: the same token is good as soon as it can be looked up', async () => {
    const tokens = makeTokens();
    way.cut();
    await tokens.authenticate(token).catch(() => undefined);

    way.mend();

    await expect(tokens.authenticate(token)).resolves.toMatchObject({ kind: 'person' });
  });

  it('nothing is minted, verified or redeemed, and nobody is refused for that', async () => {
    const own = new Database(source);
    const hub = new Hub(new ReplicaRepository(own));
    const keys = () => new SigningKeys(new SigningKeyRepository(own), new Sealer([randomBytes(32)]));
    const clock = new Clock();
    const assertions = new Assertions(
      new BrokerKeyRepository(own),
      new SpentAssertionRepository(own),
      hub,
      clock,
    );
    const urn = await hub.urn();
    const { privateKey } = generateKeyPairSync('ed25519');
    const id = randomUUID();
    const compact = await new SignJWT({ iss: id, sub: id, aud: urn, jti: randomUUID() })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT' })
      .setIssuedAt()
      .setExpirationTime('30s')
      .sign(privateKey);
    const access = await new SignJWT({})
      .setProtectedHeader({ alg: 'EdDSA', kid: randomUUID(), typ: 'fairlead-broker+jwt' })
      .sign(privateKey);

    way.cut();
    const settled = await Promise.allSettled([
      new AccessTokens(keys(), hub, clock).mint(id, 'thumbprint'),
      new AccessTokens(keys(), hub, clock).verify(access),
      assertions.redeem(compact),
      new FirstBoot(own).ensureAdministrator(),
    ]);

    expect(settled.map(({ status }) => status)).toEqual(Array(4).fill('rejected'));
    for (const each of settled) {
      expect(each.status === 'rejected' && each.reason).toBeInstanceOf(DatabaseUnavailable);
    }
  });
});
