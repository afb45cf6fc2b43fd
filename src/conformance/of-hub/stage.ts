import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign, type KeyObject } from 'node:crypto';
import { WebSocket } from 'ws';
import type { Hello } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { CONTROL_PATH, SUBPROTOCOL } from '../../protocol/version.js';
import type { Pace } from '../pace.js';
import { Broken, hold, Skipped } from '../rule.js';
import { HubLink } from './hub-link.js';

export type Answer = { status: number; headers: Headers; body: Record<string, unknown> };
/** The fields of a request that say who asks. */
export type Shown = { authorization: string; dpop: string };
type KeyPair = { publicKey: KeyObject; privateKey: KeyObject };
type Showing = {
  key: KeyPair;
  skewMs: number;
  method: 'GET' | 'POST';
  path: string;
  connectionId: string | null;
  token: string;
};
export type Refused = { status: number; body: Record<string, unknown> };

const ANSWER_WITHIN_MS = 15_000;
const LIVES_S = 55;

/** Where the rules for hubs are tried: a broker that joined under a name of its own, and does what they say. */
export class HubStage {
  private readonly key = generateKeyPairSync('ed25519');
  readonly bootId = randomUUID();
  readonly journalId = randomUUID();
  readonly name = `canary-${randomBytes(4).toString('hex')}`;
  brokerId = '';
  hubId = '';
  lastEpoch = 0;
  joined: Answer | undefined;

  constructor(
    readonly url: string,
    private readonly joinToken: string,
    private readonly apiToken: string | undefined,
    readonly pace: Pace,
  ) {}

  /** Joins with the one seat that there may be. */
  async join(): Promise<Answer> {
    this.joined ??= await this.post('/api/v1/brokers/join', this.joinBody());
    const { brokerId, hubId } = this.joined.body;
    this.brokerId = String(brokerId);
    this.hubId = String(hubId);
    return this.joined;
  }

  joinBody(overrides: object = {}): object {
    return {
      token: this.joinToken,
      publicKey: this.key.publicKey.export({ format: 'jwk' }).x,
      name: this.name,
      fingerprint: createHash('sha256').update(this.name).digest('hex'),
      software: 'conformance/1.0',
      ...overrides,
    };
  }

  assertion({ skewMs = 0, key = this.key.privateKey }: { skewMs?: number; key?: KeyObject } = {}): string {
    const iat = Math.floor((Date.now() + skewMs) / 1_000);
    const { brokerId, hubId } = this;
    const claims = { iss: brokerId, sub: brokerId, aud: hubId, iat, exp: iat + LIVES_S, jti: randomUUID() };
    return signedBy(key, { alg: 'EdDSA' }, claims);
  }

  /**
   * What an upgrade shows, or a poll: an access token, and a proof of the key that is for this one request (RFC 9449).
   *
   * @param connectionId that a poll goes on with
   * @param token a new one is asked for where none is given
   */
  async shown({
    key = this.key,
    skewMs = 0,
    method = 'GET',
    path = CONTROL_PATH,
    connectionId = null,
    token: given,
  }: Partial<Showing> = {}): Promise<Shown> {
    const token = given ?? (await this.accessToken());
    const { x } = key.publicKey.export({ format: 'jwk' });
    const head = { typ: 'dpop+jwt', alg: 'EdDSA', jwk: { kty: 'OKP', crv: 'Ed25519', x } };
    const proof = signedBy(key.privateKey, head, {
      htm: method,
      htu: `${this.url}${path}`,
      ath: createHash('sha256').update(token).digest('base64url'),
      iat: Math.floor((Date.now() + skewMs) / 1_000),
      jti: randomUUID(),
      ...(connectionId === null ? {} : { nonce: connectionId }),
    });
    return { authorization: `DPoP ${token}`, dpop: proof };
  }

  async exchange(assertion: string): Promise<Answer> {
    return this.post('/api/v1/brokers/token', {
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    });
  }

  async accessToken(): Promise<string> {
    const { status, body } = await this.exchange(this.assertion());
    hold(status === 200, 'an access token', { status, ...body });
    return String(body.access_token);
  }

  /** Asks for the channel; what is not told is as it should be. */
  async upgrade({
    shown = {},
    path = CONTROL_PATH,
    offered = SUBPROTOCOL,
  }: { shown?: Partial<Shown>; path?: string; offered?: string } = {}): Promise<HubLink | Refused> {
    const socket = new WebSocket(`${this.url.replace(/^http/, 'ws')}${path}`, offered, {
      headers: shown,
      maxPayload: LIMITS.frameBytes,
      // It is offered, and is not to be taken.
      perMessageDeflate: true,
      handshakeTimeout: ANSWER_WITHIN_MS,
    });
    const link = new HubLink(socket, this.pace);
    return new Promise((resolve, reject) => {
      socket.on('open', () => resolve(link));
      socket.on('error', (error) => reject(new Broken('an answer to the upgrade', error.message)));
      socket.on('unexpected-response', (_request, response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: objectOf(text) }));
      });
    });
  }

  /** An open channel, without a word. */
  async dial(offered?: string): Promise<HubLink> {
    const shown = await this.shown();
    const link = await this.upgrade(offered === undefined ? { shown } : { shown, offered });
    if (link instanceof HubLink) return link;
    throw new Broken('the channel to be opened', JSON.stringify(link));
  }

  hello(overrides: Partial<Hello> = {}): Hello {
    return {
      t: 'hello',
      protocol: { min: 1, max: 1 },
      bootId: this.bootId,
      journalId: this.journalId,
      lastEpoch: this.lastEpoch,
      software: 'conformance/1.0',
      capabilities: [],
      labels: {},
      window: LIMITS.windowDefault,
      health: 'online',
      ...overrides,
    };
  }

  /** A channel that is welcomed, with an empty inventory that was judged. */
  async connect(overrides: Partial<Hello> = {}): Promise<HubLink> {
    const link = await this.dial();
    link.send(this.hello(overrides));
    this.lastEpoch = (await link.next('welcome')).epoch;
    link.send({ t: 'inventory', entries: [], last: true });
    await link.next('inventory_ok');
    return link;
  }

  /** Says goodbye, so that no rule finds the link of another. */
  async leave(link: HubLink): Promise<void> {
    link.send({ t: 'goodbye', reason: 'the rule was tried' });
    if ((await link.endsWithin()) === undefined) link.cut();
  }

  /** Asks the API for a command to this broker. @returns its id @throws Skipped where there is no token for that */
  async ask(orderingKey: string | null = null): Promise<string> {
    const path = `/api/v1/brokers/${this.brokerId}/dispatches`;
    const { status, body } = await this.api('POST', path, { op: 'broker.ping', orderingKey });
    hold(status === 202 || status === 200, 'the command to be accepted', { status, ...body });
    return String((body.dispatch as { id?: unknown }).id);
  }

  async api(method: string, path: string, body?: object): Promise<Answer> {
    if (this.apiToken === undefined)
      throw new Skipped('it takes FAIRLEAD_TOKEN, since a command is asked for');
    return this.fetch(method, path, body, { authorization: `Bearer ${this.apiToken}` });
  }

  /** How a command stands once it has ended, if it does in the time. */
  async ended(id: string): Promise<Record<string, unknown>> {
    const until = performance.now() + this.pace.withinMs;
    for (;;) {
      const { body } = await this.api('GET', `/api/v1/dispatches/${id}`);
      const dispatch = (body.dispatch ?? {}) as Record<string, unknown>;
      const isOver = ['succeeded', 'failed', 'cancelled', 'expired', 'dead'].includes(String(dispatch.state));
      if (isOver || performance.now() > until) return dispatch;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  post(path: string, body: object, shown?: Shown, withinMs?: number): Promise<Answer> {
    return this.fetch('POST', path, body, { ...shown }, withinMs);
  }

  private async fetch(
    method: string,
    path: string,
    body: object | undefined,
    headers: Record<string, string>,
    withinMs = ANSWER_WITHIN_MS,
  ): Promise<Answer> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      signal: AbortSignal.timeout(withinMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, headers: answer.headers, body: objectOf(await answer.text()) };
  }
}

const LOOK_MS = 20;

function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function signedBy(key: KeyObject, head: object, claims: object): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode(head)}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
}
