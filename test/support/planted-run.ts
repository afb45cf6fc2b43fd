import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import pg from 'pg';
import { Sealer } from '../../src/hub/auth/sealer.js';
import { Api } from './api.js';
import { BrokerProcess } from './broker-process.js';
import { Cluster } from './cluster.js';
import { Collector } from './collector.js';
import { eventually } from './eventually.js';
import { FAIRLEAD } from './hub-process.js';
import { memoryFolder } from './memory-folder.js';
import { Browser, OpenIdProvider } from './openid-provider.js';
import { Planted } from './planted.js';
import { ScriptedBroker } from './scripted-broker.js';

/** What things are called that are no secrets. */
export const MARK = 'marked';

/** The hubs are on the same machine. */
const AT_ONCE = 4;

type Asked = { headers?: Record<string, string>; body?: string };

/**
 * A run of two replicas and a real broker in which a secret of every kind is planted and used: as it is meant to be, and in
 * places where it does not belong. What all of them said and kept can be read afterwards.
 */
export class PlantedRun {
  readonly planted = new Planted();
  /** What stands openly in the database, and in no log and no trace all the same. */
  readonly unlogged = new Planted();
  /** What was told to an agent of itself. */
  private toldToAgent = '';
  /** What was answered to those who did something wrong. */
  readonly refusals: string[] = [];
  private readonly secrets = [
    'cluster',
    'previous cluster',
    'seal',
    'older seal',
    'session',
    'older session',
  ].map((what) => this.planted.bytes(`${what} secret`, randomBytes(32).toString('hex')));
  private readonly home = memoryFolder('fairlead-cli-');
  private admin = new Api('', '');
  private password = '';
  private lastStop = '';

  private constructor(
    private readonly cluster: Cluster,
    private readonly sql: pg.Client,
    private readonly collector: Collector,
    private readonly provider: OpenIdProvider,
    private readonly traced: Record<string, string>,
    public broker: BrokerProcess | undefined = undefined,
  ) {}

  static async start(): Promise<PlantedRun> {
    const [collector, provider, cluster] = await Promise.all([
      Collector.start(),
      OpenIdProvider.listen(),
      Cluster.start(0),
    ]);
    const sql = new pg.Client(cluster.database.url);
    await sql.connect();
    const traced = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_LOGS_EXPORTER: 'otlp',
      OTEL_BLRP_SCHEDULE_DELAY: '50',
    };
    const run = new PlantedRun(cluster, sql, collector, provider, traced);
    await Promise.all([cluster.addReplica(run.environment), cluster.addReplica(run.environment)]);
    provider.serve(cluster.hubs.map(({ url }) => `${url}/api/v1/oidc/callback`));
    return run;
  }

  async stop(): Promise<void> {
    await this.broker?.remove();
    await this.sql.end();
    await this.cluster.stop();
    await this.provider.close();
    await this.collector.stop();
    rmSync(this.home, { recursive: true, force: true });
  }

  /** Of a replica; it logs all that it can. */
  get environment(): Record<string, string> {
    const [cluster = '', previous = '', seal, olderSeal, session, olderSession] = this.secrets;
    this.planted.text('password of the database', new URL(this.cluster.database.url).password);
    return {
      FAIRLEAD_CLUSTER_SECRET: cluster,
      FAIRLEAD_CLUSTER_SECRET_PREVIOUS: previous,
      FAIRLEAD_SEAL_KEYS: `${seal},${olderSeal}`,
      FAIRLEAD_SESSION_SECRETS: `${session},${olderSession}`,
      FAIRLEAD_OIDC_ISSUER: this.provider.issuer,
      FAIRLEAD_OIDC_CLIENT_ID: 'fairlead',
      FAIRLEAD_OIDC_CLIENT_SECRET: this.planted.text('client secret', this.provider.clientSecret),
      FAIRLEAD_OIDC_ALLOW: 'corp.test',
      FAIRLEAD_FIRST_BOOT: 'link',
      FAIRLEAD_RATE_LIMITS: 'off',
      FAIRLEAD_LOG_LEVEL: 'trace',
      ...this.traced,
    };
  }

  /** Everybody comes in as is meant. */
  async signIn(): Promise<void> {
    const { planted } = this;
    const invite = this.cluster.hubs.flatMap(({ administratorInvite }) => administratorInvite ?? [])[0] ?? '';
    const [password, next, wrong] = [
      this.fresh('password'),
      this.fresh('password'),
      this.fresh('wrong password'),
    ];
    this.password = next;
    const first = await this.post('invites/redeem', { token: planted.text('setup link', invite), password });
    this.admin = new Api(this.url, this.plantTokens(first).accessToken);
    await this.refuse('POST', '/api/v1/sessions', {
      body: JSON.stringify({ user: 'admin', password: wrong }),
    });
    const signed = this.plantTokens(await this.post('sessions', { user: 'admin', password }));
    const refreshed = this.plantTokens(
      await this.post('sessions/refresh', { refreshToken: signed.refreshToken }),
    );
    await new Api(this.url, refreshed.accessToken).call('PUT', '/api/v1/me/password', {
      current: password,
      password: next,
    });

    this.admin = new Api(
      this.url,
      this.plantTokens(await this.post('sessions', { user: 'admin', password: next })).accessToken,
    );
    const { token } = await this.asAdmin('tokens', { name: MARK });
    this.admin = new Api(this.url, planted.text('personal token', token));
    const user = await this.asAdmin('users', { name: MARK });
    planted.text('invite', (await this.asAdmin(`users/${user.id}/invites`, {})).token);
    await this.approveDevice();
    await this.useBrowser(next);
    await this.comeFromProvider();
  }

  private async approveDevice(): Promise<void> {
    const begun = await this.post('device-grants', { name: MARK });
    this.planted.text('device code', begun.deviceCode);
    this.planted.text('user code', begun.userCode);
    this.planted.text('user code', begun.userCode.replace('-', ''));
    await this.refuse('POST', '/api/v1/device-grants/redeem', {
      body: JSON.stringify({ deviceCode: begun.deviceCode }),
    });
    await this.sql.query('update device_grant set asked_at = null');
    await this.asAdmin('device-grants/approve', { userCode: begun.userCode });
    const { token } = await this.post('device-grants/redeem', { deviceCode: begun.deviceCode });
    this.planted.text('personal token', token);
  }

  private async useBrowser(password: string): Promise<void> {
    const response = await fetch(`${this.url}/api/v1/web-sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: this.url },
      body: JSON.stringify({ user: 'admin', password }),
    });
    const { csrfToken } = (await response.json()) as { csrfToken: string };
    const cookie = String(/^[^;]+/.exec(response.headers.getSetCookie()[0] ?? ''));
    this.planted.text('csrf token', csrfToken);
    this.planted.text('cookie', cookie.slice(cookie.indexOf('=') + 1));
    await fetch(`${this.url}/api/v1/projects`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: this.url, cookie, 'x-csrf-token': csrfToken },
      body: JSON.stringify({ name: MARK }),
    });
    await this.refuse('POST', '/api/v1/projects', { headers: { cookie, origin: this.url }, body: '{}' });
  }

  /** Once to the end, and once with a code that the provider has not given. */
  private async comeFromProvider(): Promise<void> {
    this.provider.accounts.set(MARK, { email: 'marked@corp.test', email_verified: true });
    for (const isOurs of [true, false]) {
      const browser = new Browser();
      const { next } = await browser.go(`${this.url}/api/v1/oidc/begin?to=done`);
      this.planted.text('sealed state of a sign-in', [...browser.cookies(this.url).values()].join());
      const back = new URL(await browser.signIn(next, MARK, [this.url]));
      const code = this.planted.text('code of the provider', back.searchParams.get('code') ?? '');
      this.planted.text('state of a sign-in', back.searchParams.get('state') ?? '');
      if (!isOurs) back.searchParams.set('code', code.split('').reverse().join(''));
      const { text } = await browser.go(back.href);
      if (isOurs) this.planted.text('cookie', [...browser.cookies(this.url).values()].join());
      else this.refusals.push(text);
    }
  }

  /** A real broker, whose key is changed while it runs, and one whose every word is ours. */
  async joinBrokers(): Promise<void> {
    const { planted } = this;
    this.broker = await BrokerProcess.join(this.admin, this.otherUrl, MARK);
    planted.text('join token', this.broker.joinToken);
    planted.text('join token', (await this.asAdmin('join-tokens', {})).token);
    const keyPath = join(this.broker.home, 'key.jwk');
    const plantKey = () =>
      planted.text('key of a broker', (JSON.parse(readFileSync(keyPath, 'utf8')) as { d: string }).d);
    plantKey();
    await this.broker.start(this.admin, this.traced);
    this.refusals.push(await this.command(['broker', 'rotate-key', '--home', this.broker.home]));
    plantKey();

    const scripted = await ScriptedBroker.join(this.admin, this.url);
    planted.text('assertion', await scripted.assertion());
    const token = planted.text('access token of a broker', await scripted.accessToken(this.url));
    const { dpop } = await scripted.shown(this.url, { token });
    planted.text('proof of a broker', dpop);
    const link = await scripted.connect(this.otherUrl);
    link.sendText(JSON.stringify({ t: 'heartbeat', [token]: token, health: token }));
    this.refusals.push(JSON.stringify(await link.closed));
    await eventually(async () => {
      const { rows } = await this.sql.query<{ id: string; sealed: Buffer }>(
        'select id, sealed_private as sealed from signing_key',
      );
      for (const { id, sealed } of rows) {
        const ring = this.secrets.slice(2, 4).map((key) => Buffer.from(key, 'hex'));
        const { d } = JSON.parse(new Sealer(ring).open('signing_key', id, sealed).toString()) as {
          d: string;
        };
        planted.text('signing key', d);
      }
      return rows.length > 0;
    });
  }

  /** One agent that runs, and one whose command is not there. */
  async giveSecretsToAgents(): Promise<void> {
    const environment = { TOKEN: this.fresh('environment of an agent') };
    await this.asAdmin(`projects/${MARK}/attachments`, { broker: MARK });
    for (const [name, command] of [
      [MARK, 'cat'],
      ['broken', '/nowhere/to/be/found'],
    ] as const) {
      const { id } = await this.asAdmin('agents', {
        name,
        broker: MARK,
        project: MARK,
        spec: { command, environment, stdin: 'messages' },
      });
      for (const verb of ['start', 'restart', 'stop']) {
        const { body } = await this.admin.post(`/api/v1/agents/${name}/${verb}`, {}, { prefer: 'wait=10' });
        this.lastStop = body.dispatch.id;
        if (name === MARK && verb === 'start') await this.showTokenOf(id);
      }
    }
  }

  /** As the agent does while its run goes on, with what its broker has laid down for it. */
  private async showTokenOf(id: string): Promise<void> {
    const { runId } = (await this.admin.get(`/api/v1/agents/${id}`)).body;
    const file = join(this.broker?.home ?? '', 'agents', id, 'runs', runId, 'token');
    const written = () => existsSync(file) && readFileSync(file, 'utf8');
    const token = this.planted.text('token of an agent', await eventually(written, { withinMs: 30_000 }));
    const { status, body } = await new Api(this.otherUrl, token).get('/api/v1/self');
    if (status !== 200) throw new Error(`an agent is refused: ${JSON.stringify(body)}`);
    this.toldToAgent = JSON.stringify(body);
  }

  async misplaceAll(): Promise<void> {
    const { samples } = this.planted;
    for (let at = 0; at < samples.length; at += AT_ONCE)
      await Promise.all(samples.slice(at, at + AT_ONCE).map((secret) => this.misplace(secret)));
  }

  /** Each secret where it does not belong; save in a path, of which is logged what reads like a name, as some of these do. */
  private async misplace(secret: string): Promise<void> {
    const encoded = encodeURIComponent(secret);
    const json = JSON.stringify(secret);
    const asks: [string, string, Asked][] = [
      ['GET', `/api/v1/agents?cursor=${encoded}&${encoded}=x`, {}],
      ['GET', `/nowhere?x=${encoded}`, {}],
      ['GET', '/api/v1/agents', { headers: { authorization: `Bearer ${secret}` } }],
      ['GET', '/api/v1/agents', { headers: { authorization: `Basic ${secret}` } }],
      // The agent's own too: its run is over by now.
      ['GET', `/api/v1/self/messages?cursor=${encoded}`, { headers: { authorization: `Bearer ${secret}` } }],
      ['GET', '/api/v1/me', { headers: { authorization: '', cookie: `fairlead-session=${encoded}` } }],
      [
        'POST',
        '/api/v1/projects',
        { headers: { 'idempotency-key': secret, traceparent: secret }, body: `{"name":${json}}` },
      ],
      ['POST', '/api/v1/projects', { body: `{"name": ${json} "broken": ${secret}` }],
      ['POST', '/api/v1/brokers/join', { body: `{"token":${json},"publicKey":${json},"name":${json}}` }],
      ['POST', '/api/v1/brokers/token', { body: `{"client_assertion":${json},"grant_type":${json}}` }],
      ['POST', '/api/v1/sessions/refresh', { body: `{"refreshToken":${json}}` }],
      ['POST', '/api/v1/invites/redeem', { body: `{"token":${json},"password":${json}}` }],
      ['POST', '/api/v1/device-grants/redeem', { body: `{"deviceCode":${json}}` }],
      ['POST', `/api/v1/brokers/${MARK}/dispatches`, { body: `{"op":"broker.ping","args":{"x":${json}}}` }],
    ];
    await Promise.all(asks.map(([method, path, asked]) => this.refuse(method, path, asked)));
  }

  /** The database takes back what it is given, and then is gone for a moment: both replicas log why. */
  async failDatabase(): Promise<void> {
    const { unlogged } = this;
    for (const [table, rule] of [
      ['agent', `name <> 'fails'`],
      ['personal_token', `name <> 'fails'`],
      ['user_password', 'false'],
      ['broker_dispatch', `op <> 'agent.message'`],
    ])
      await this.sql.query(`alter table ${table} add constraint it_fails check (${rule}) not valid`);
    const args = [unlogged.text('argument', `argument-${randomUUID()}`)];
    const text = unlogged.text('message', `message ${randomUUID()}`);
    const { rows } = await this.sql.query<{ hash: string }>('select hash from user_password');
    for (const { hash } of rows) unlogged.text('hash of a password', hash);
    const [password, environment] = [
      this.fresh('password'),
      { TOKEN: this.fresh('environment of an agent') },
    ];
    const asks: [string, string, object][] = [
      [
        'POST',
        'agents',
        { name: 'fails', broker: MARK, project: MARK, spec: { command: 'x', args, environment } },
      ],
      ['POST', 'tokens', { name: 'fails' }],
      ['PUT', 'me/password', { current: this.password, password }],
      ['POST', `agents/${MARK}/messages`, { text }],
    ];
    const answers = await Promise.all(
      asks.map(([method, path, body]) => this.admin.call(method, `/api/v1/${path}`, body)),
    );
    this.refusals.push(JSON.stringify(answers));
    const others = `from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`;
    await this.sql.query(`select pg_terminate_backend(pid) ${others}`);
    await eventually(async () => (await this.admin.get('/readyz')).status === 200, { withinMs: 30_000 });
  }

  /** Every place in which something of the run can be read. */
  async places(): Promise<Record<string, string>> {
    const { broker, cluster, lastStop: id } = this;
    const read = async (path: string) => JSON.stringify((await this.admin.get(path)).body);
    const { body: described } = await this.admin.get('/api/v1/openapi.json');
    const lists = Object.entries<object>(described.paths).flatMap(([path, methods]) =>
      'get' in methods && !path.includes('{') ? [path] : [],
    );
    const ofOne = ['', '/inspect', '/messages', '/logs'].map((of) => `/api/v1/agents/${MARK}${of}`);
    const answers = await Promise.all([...lists, ...ofOne, `/api/v1/dispatches/${id}`].map(read));
    const told = {
      answers: [...answers, this.toldToAgent].join('\n'),
      trails: (await read(`/api/v1/dispatches/${id}/trail`)) + (await read(`/api/v1/dispatches/${id}/why`)),
      audit: (await read('/api/v1/audit?limit=200')) + (await read('/api/v1/audit/export')),
      metrics: await read('/metrics'),
      refusals: this.refusals.join('\n'),
      'what the commands print': await this.commands(),
      database: await this.dump(),
    };
    const [first, second] = cluster.hubs;
    await first?.stop();
    return {
      ...told,
      'log of a hub': withoutLink(first?.output ?? []),
      'log of the other hub': withoutLink(second?.output ?? []),
      'log of a broker': broker?.output ?? '',
      traces: this.exported('/v1/traces'),
      'exported logs': this.exported('/v1/logs'),
    };
  }

  private exported(at: string): string {
    const bodies = this.collector.bodies.filter(({ path }) => path === at);
    return bodies.map(({ body }) => body.toString()).join('\n');
  }

  /** Every column of every table as text. */
  private async dump(): Promise<string> {
    const { rows: tables } = await this.sql.query<{ name: string }>(
      `select c.oid::regclass::text as name from pg_class c
       where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace`,
    );
    const dumps = [];
    for (const { name } of tables) {
      const { rows } = await this.sql.query<{ row: string }>(
        `select stored::text as row from ${name} as stored`,
      );
      dumps.push(name, ...rows.map(({ row }) => row));
    }
    return dumps.join('\n');
  }

  /** What shows how things are set, where all is well and where each secret is broken. */
  private async commands(): Promise<string> {
    const set = { ...this.environment, DATABASE_URL: this.cluster.database.url };
    const broken = Object.fromEntries(
      Object.entries(set).map(([name, value]) => [
        name,
        /SECRET|KEYS|URL|ISSUER/.test(name) ? `${value}x ,` : value,
      ]),
    );
    const logged = { FAIRLEAD_TOKEN: this.fresh('personal token') };
    const said = [];
    for (const [args, env] of [
      [['doctor', '--json'], { ...broken, DATABASE_URL: set.DATABASE_URL }],
      [['hub', 'start'], broken],
      [['login', this.otherUrl], logged],
    ] as const)
      said.push(await this.command([...args], env));
    return said.join('\n');
  }

  private async command(args: string[], env: Record<string, string> = {}): Promise<string> {
    const child = spawn(process.execPath, [FAIRLEAD, ...args], {
      env: { PATH: process.env.PATH, FAIRLEAD_HOME: this.home, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [out, err] = await Promise.all([textOf(child.stdout), textOf(child.stderr), once(child, 'close')]);
    return `${args.join(' ')}\n${out}\n${err}`;
  }

  private get url(): string {
    return this.cluster.hub(0).url;
  }

  private get otherUrl(): string {
    return this.cluster.hub(1).url;
  }

  private fresh(what: string): string {
    return this.planted.text(what, `${what} ${randomUUID()}`);
  }

  private plantTokens<T extends { accessToken: string; refreshToken: string }>(signed: T): T {
    this.planted.text('access token of a person', signed.accessToken);
    this.planted.text('refresh token', signed.refreshToken);
    return signed;
  }

  /** As nobody, and as is meant. */
  private async post(path: string, body: object): Promise<any> {
    const { status, body: answer } = await new Api(this.url, '').call('POST', `/api/v1/${path}`, body, {
      authorization: '',
    });
    if (status >= 300) throw new Error(`${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  private async asAdmin(path: string, body: object): Promise<any> {
    const { status, body: answer } = await this.admin.post(`/api/v1/${path}`, body);
    if (status >= 300) throw new Error(`${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  private async refuse(method: string, path: string, { headers = {}, body }: Asked = {}): Promise<void> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    // Where it is taken, a secret may be answered with another.
    if (!response.ok) this.refusals.push([method, response.status, ...response.headers, text].join(' '));
  }
}

/** Without the one place that is to show it: what a person sees who starts a hub for the first time. */
function withoutLink(output: readonly string[]): string {
  return output.filter((line) => !/^ +(http|npx fairlead login).*fli_/.test(line)).join('\n');
}
