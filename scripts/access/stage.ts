import { generateKeyPairSync, randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { importJWK, SignJWT, type JWK } from 'jose';
import type { DataSource } from 'typeorm';
import { makeOpaque, type OpaqueKind } from '../../src/hub/auth/opaque-token.js';
import { Sealer } from '../../src/hub/auth/sealer.js';
import { readConfig } from '../../src/hub/config/hub-config.js';
import { sessionSecretsOf } from '../../src/hub/config/secrets.js';
import { proofFields } from '../../src/broker/proof.js';
import { AGENT_TOKENS_PATH } from '../../src/protocol/version.js';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { Hub } from '../../src/hub/hub.js';

export type Member = { id: string; key: KeyObject; accessToken: string };

/** A hub that listens, and whatever a caller of it may have in hand. */
export class Stage {
  readonly clusterSecret = randomBytes(32);
  private readonly sealKey = randomBytes(32);
  /** Of the hub, as credentials are made out to it. */
  urn = '';
  private hub: Hub | undefined;
  private sql: DataSource | undefined;

  static async set(databaseUrl: string, env: Record<string, string> = {}): Promise<Stage> {
    const stage = new Stage();
    stage.hub = await Hub.start(
      readConfig({
        DATABASE_URL: databaseUrl,
        FAIRLEAD_SEAL_KEYS: stage.sealKey.toString('hex'),
        FAIRLEAD_CLUSTER_SECRET: stage.clusterSecret.toString('hex'),
        FAIRLEAD_LISTEN: '127.0.0.1:0',
        FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
        FAIRLEAD_LOG_LEVEL: 'silent',
        FAIRLEAD_FIRST_BOOT: 'token',
        // What is asked is who may, and not how often.
        FAIRLEAD_RATE_LIMITS: 'off',
        ...env,
      }),
      () => undefined,
    );
    stage.sql = await makeDataSource(databaseUrl, 'fairlead-access').initialize();
    return stage;
  }

  async strike(): Promise<void> {
    await this.sql?.destroy();
    await this.hub?.stop();
  }

  get running(): Hub {
    if (this.hub === undefined) throw new Error('the hub is not started');
    return this.hub;
  }

  get administrator(): string {
    const { administratorToken } = this.running;
    if (administratorToken === undefined) throw new Error('the database has an administrator already');
    return administratorToken;
  }

  get internalUrl(): string {
    return `http://127.0.0.1:${this.running.ports.internal ?? 0}`;
  }

  /** As an administrator. */
  async post(path: string, body: object, method = 'POST'): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.running.publicUrl}/api/v1/${path}`, {
      method,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.administrator}` },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  async query(text: string, values: unknown[]): Promise<Record<string, unknown>[]> {
    if (this.sql === undefined) throw new Error('the hub is not started');
    return this.sql.query<Record<string, unknown>[]>(text, values);
  }

  opaque(kind: OpaqueKind): string {
    return makeOpaque(kind).plain;
  }

  async joinToken(options: object = {}): Promise<{ id: string; token: string }> {
    const { id, token } = await this.post('join-tokens', options);
    return { id: String(id), token: String(token) };
  }

  /** The body of a join with this token, each time by another machine with another key. */
  joining(token: string | undefined, key = generateKeyPairSync('ed25519').publicKey): object {
    return {
      ...(token === undefined ? {} : { token }),
      publicKey: key.export({ format: 'jwk' }).x,
      name: `b-${randomUUID()}`,
      fingerprint: randomBytes(32).toString('hex'),
      software: 'access/1',
    };
  }

  async broker(): Promise<Member> {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const { token } = await this.joinToken();
    const { brokerId, accessToken, hubId } = await this.post('brokers/join', this.joining(token, publicKey));
    this.urn = String(hubId);
    return { id: String(brokerId), key: privateKey, accessToken: String(accessToken) };
  }

  cookieOf(value: string): string {
    return `fairlead-session=${value}`;
  }

  /** The browser of an administrator of its own, who has signed in. @param change of the row of its session */
  async browser(change = 'ended_at = null'): Promise<{ cookie: string; headers: Record<string, string> }> {
    const [userId, sessionId, csrfToken] = [randomUUID(), randomUUID(), randomUUID()];
    await this.query(`insert into hub_user (id, name, role) values ($1::uuid, 'u-' || $1, 'admin')`, [
      userId,
    ]);
    await this.query(
      `insert into user_session (id, user_id, expires_at) values ($1, $2, now() + interval '1 hour')`,
      [sessionId, userId],
    );
    await this.query(`update user_session set ${change} where id = $1`, [sessionId]);
    const secrets = sessionSecretsOf({ sessionSecrets: null, sealKeys: [this.sealKey], dataDir: '' });
    const content = JSON.stringify({ sessionId, csrfToken, endsAt: Date.now() + 3_600_000 });
    const sealed = new Sealer(secrets).seal('cookie', 'web session', Buffer.from(content));
    return {
      cookie: this.cookieOf(sealed.toString('base64url')),
      headers: { origin: this.running.publicUrl, 'x-csrf-token': csrfToken },
    };
  }

  /** What a broker exchanges for an access token, with whatever claims it should better not have. */
  async assertion({ id, key }: Member, claims: object = {}, signer = key): Promise<string> {
    const iat = Math.floor(Date.now() / 1000);
    return new SignJWT({ iss: id, sub: id, aud: this.urn, jti: randomUUID(), iat, exp: iat + 30, ...claims })
      .setProtectedHeader({ alg: 'EdDSA' })
      .sign(signer);
  }

  /** The broker's access token with other claims, under the hub's own signature, or under somebody's. */
  async accessToken({ accessToken }: Member, claims: object, signer?: KeyObject): Promise<string> {
    return this.resigned(accessToken, claims, signer);
  }

  /** What an agent of the broker shows, which is of a project and was told to start. */
  async agentToken({
    id: broker,
    key,
    accessToken,
  }: Member): Promise<{ agent: string; project: string; token: string }> {
    const [name, project] = [`a-${randomUUID()}`, `p-${randomUUID()}`];
    await this.post('projects', { name: project });
    await this.post(`projects/${project}/attachments`, { broker });
    const { id: agent } = await this.post('agents', { name, broker, project, spec: { command: 'true' } });
    await this.post(`agents/${String(agent)}/start`, {});
    const [row] = await this.query('select run_id from agent where id = $1', [agent]);
    const { publicUrl } = this.running;
    const showing = { method: 'POST', path: AGENT_TOKENS_PATH } as const;
    const jwk = key.export({ format: 'jwk' }) as JWK;
    const response = await fetch(`${publicUrl}${AGENT_TOKENS_PATH}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(await proofFields(jwk, accessToken, publicUrl, showing, Date.now())),
      },
      body: JSON.stringify({ agentId: agent, runId: row?.['run_id'] }),
    });
    const { token } = (await response.json()) as { token: string };
    if (!response.ok) throw new Error(`an agent was given no token: ${response.status}`);
    return { agent: String(agent), project, token };
  }

  /** A token of this hub with other claims, under the hub's own signature, or under somebody's. */
  async resigned(token: string, claims: object, signer?: KeyObject): Promise<string> {
    const [header, was] = token
      .split('.')
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, string>);
    const kid = header?.['kid'] ?? '';
    const key = signer ?? (await importJWK(await this.signingKey(kid), 'EdDSA'));
    return new SignJWT({ ...was, ...claims })
      .setProtectedHeader({ alg: 'EdDSA', kid, typ: header?.['typ'] ?? '' })
      .sign(key);
  }

  private async signingKey(kid: string): Promise<JWK> {
    const [row] = await this.query('select sealed_private as sealed from signing_key where id = $1', [kid]);
    const opened = new Sealer([this.sealKey]).open('signing_key', kid, row?.['sealed'] as Buffer);
    return JSON.parse(opened.toString()) as JWK;
  }
}
