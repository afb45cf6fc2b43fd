import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign, type KeyObject } from 'node:crypto';
import { WebSocket } from 'ws';
import type { Hello, InventoryEntry } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { CONTROL_PATH, SUBPROTOCOL } from '../../protocol/version.js';
import type { Pace } from '../pace.js';
import { Broken, hold, Skipped } from '../rule.js';
import { HubLink } from './hub-link.js';

/** What the API answers, unread. */
type Document = Record<string, unknown>;
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
type Upgrading = { shown: Partial<Shown>; path: string; offered: string; answersPings: boolean };
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
    answersPings = true,
  }: Partial<Upgrading> = {}): Promise<HubLink | Refused> {
    const socket = new WebSocket(`${this.url.replace(/^http/, 'ws')}${path}`, offered, {
      headers: shown,
      maxPayload: LIMITS.frameBytes,
      // It is offered, and is not to be taken.
      perMessageDeflate: true,
      autoPong: answersPings,
      handshakeTimeout: ANSWER_WITHIN_MS,
    });
    const link = new HubLink(socket, this.pace);
    return new Promise((resolve, reject) => {
      socket.on('open', () => resolve(link));
      socket.on('error', (error) => reject(new Broken('an answer to the upgrade', error.message)));
      socket.on('unexpected-response', (_request, response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('close', () => {
          if (response.complete) resolve({ status: response.statusCode ?? 0, body: objectOf(text) });
          else reject(new Broken('a whole answer to the upgrade', `${response.statusCode ?? 0}, broken off`));
        });
      });
    });
  }

  /** An open channel, without a word. */
  async dial(offered = SUBPROTOCOL, dialling: { answersPings?: boolean } = {}): Promise<HubLink> {
    const link = await this.upgrade({ shown: await this.shown(), offered, ...dialling });
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

  /** A channel that is welcomed, with an inventory that was judged: an empty one, where nothing else is told. */
  async connect(
    overrides: Partial<Hello> = {},
    entries: InventoryEntry[] = [],
    dialling: { answersPings?: boolean } = {},
  ): Promise<HubLink> {
    const link = await this.dial(SUBPROTOCOL, dialling);
    link.send(this.hello(overrides));
    this.lastEpoch = (await link.next('welcome')).epoch;
    link.send({ t: 'inventory', entries, last: true });
    await link.next('inventory_ok');
    return link;
  }

  /** Says goodbye, so that no rule finds the link of another. */
  async leave(link: HubLink): Promise<void> {
    link.send({ t: 'goodbye', reason: 'the rule was tried' });
    if ((await link.endsWithin()) === undefined) link.cut();
  }

  /** Asks the API for a command to this broker. @returns its id @throws Skipped where there is no token for that */
  async ask(orderingKey: string | null = null, op = 'broker.ping'): Promise<string> {
    const path = `/api/v1/brokers/${this.brokerId}/dispatches`;
    const { status, body } = await this.api('POST', path, { op, orderingKey });
    hold(status === 202 || status === 200, 'the command to be accepted', { status, ...body });
    return String((body.dispatch as { id?: unknown }).id);
  }

  /** The token for what is asked of the API. @throws Skipped where there is none */
  needsApi(): string {
    if (this.apiToken === undefined)
      throw new Skipped('it takes FAIRLEAD_TOKEN, since something is asked of the API');
    return this.apiToken;
  }

  /** @throws Broken where no whole answer comes */
  async api(method: string, path: string, body?: object): Promise<Answer> {
    return this.fetch(method, path, body, { authorization: `Bearer ${this.needsApi()}` });
  }

  /** How a command stands once it has ended, if it does in the time. */
  ended(id: string): Promise<Document> {
    return this.standing(id, ({ state }) => ENDED.includes(String(state)));
  }

  /** How a command stands once it does so, or when the time is over. */
  async standing(id: string, isSo: (dispatch: Document) => boolean): Promise<Document> {
    const path = `/api/v1/dispatches/${id}`;
    return this.look(async () => ((await this.api('GET', path)).body.dispatch ?? {}) as Document, isSo);
  }

  /** What the API shows of this broker's presence, once it is that or the time is over. */
  async presence(awaited: string, withinMs = this.pace.withinMs): Promise<unknown> {
    const path = `/api/v1/brokers/${this.brokerId}`;
    const read = async (): Promise<Document> =>
      ((await this.api('GET', path)).body.presence ?? {}) as Document;
    return (await this.look(read, ({ state }) => state === awaited, withinMs)).state;
  }

  /** @throws Broken where no whole answer comes */
  post(path: string, body: object, shown?: Shown, withinMs?: number): Promise<Answer> {
    return this.fetch('POST', path, body, { ...shown }, withinMs);
  }

  private async look(
    read: () => Promise<Document>,
    isSo: (document: Document) => boolean,
    withinMs = this.pace.withinMs,
  ): Promise<Document> {
    const until = performance.now() + withinMs;
    for (;;) {
      const document = await read();
      if (isSo(document) || performance.now() > until) return document;
      await new Promise((resolve) => setTimeout(resolve, Math.max(LOOK_MS, withinMs / LOOKS)));
    }
  }

  private async fetch(
    method: string,
    path: string,
    body: object | undefined,
    headers: Record<string, string>,
    withinMs = ANSWER_WITHIN_MS,
  ): Promise<Answer> {
    try {
      const answer = await fetch(`${this.url}${path}`, {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        signal: AbortSignal.timeout(withinMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, headers: answer.headers, body: objectOf(await answer.text()) };
    } catch (error) {
      throw new Broken(`a whole answer to ${method} ${path} within ${withinMs / 1_000} s`, causeOf(error));
    }
  }
}

const LOOK_MS = 20;
/** The longer something takes, the rarer it is looked for. */
const LOOKS = 500;
const ENDED = ['succeeded', 'failed', 'cancelled', 'expired', 'dead'];

/** Of a request that came to nothing the error itself says little, and the one beneath it why. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause, message } = error;
  return cause instanceof Error && cause.message !== '' ? `${message}: ${cause.message}` : message;
}

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
