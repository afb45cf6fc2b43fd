import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { SignJWT, type JWK } from 'jose';
import { WebSocket } from 'ws';
import type {
  BrokerError,
  BrokerFrame,
  DispatchItem,
  Hello,
  HubFrame,
  InventoryEntry,
} from '../../src/protocol/frame.js';
import { parseHubFrame } from '../../src/protocol/parse.js';
import { proofFields, type Showing, type ShownFields } from '../../src/broker/proof.js';
import { CONTROL_PATH } from '../../src/protocol/version.js';
import type { Api } from './api.js';

/** What is not answered by then is told by its name, and not by the time that its test took. */
export const OPEN_WITHIN_MS = 30_000;

type Ended = { code: number; reason: string };
type Attempt = { id: string; attempt: number };

/** A broker's membership: what a real one keeps on disk. */
export class ScriptedBroker {
  readonly bootId = randomUUID();
  journalId: string = randomUUID();
  lastEpoch = 0;

  private constructor(
    readonly id: string,
    readonly name: string,
    private readonly hubId: string,
    private readonly key: KeyObject,
  ) {}

  /** Joins the hub as a broker that does only what the test says. */
  static async join(
    api: Api,
    url: string,
    name = `scripted-${randomUUID().slice(0, 8)}`,
    { software = 'scripted/1', shared = false }: { software?: string; shared?: boolean } = {},
  ): Promise<ScriptedBroker> {
    const { body: seat } = await api.post('/api/v1/join-tokens', { shared });
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const response = await fetch(`${url}/api/v1/brokers/join`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        token: seat.token,
        publicKey: publicKey.export({ format: 'jwk' }).x,
        name,
        fingerprint: 'a'.repeat(64),
        software,
      }),
    });
    if (response.status !== 201) throw new Error(`the join was refused: ${await response.text()}`);
    const { brokerId, hubId } = (await response.json()) as { brokerId: string; hubId: string };
    return new ScriptedBroker(brokerId, name, hubId, privateKey);
  }

  /** A new assertion, good for half a minute and once. */
  async assertion(): Promise<string> {
    return new SignJWT({})
      .setProtectedHeader({ alg: 'EdDSA' })
      .setIssuer(this.id)
      .setSubject(this.id)
      .setAudience(this.hubId)
      .setIssuedAt()
      .setExpirationTime('30s')
      .setJti(randomUUID())
      .sign(this.key);
  }

  async accessToken(url: string): Promise<string> {
    const assertion = await this.assertion();
    const response = await fetch(`${url}/api/v1/brokers/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      }),
    });
    const body = (await response.json()) as { access_token: string };
    if (response.status !== 200) throw new Error(`no access token: ${JSON.stringify(body)}`);
    return body.access_token;
  }

  /** What a request shows: an access token, which is asked for where none is given, and a proof for this one request. */
  async shown(
    url: string,
    { token, ...showing }: Partial<Showing> & { token?: string } = {},
  ): Promise<ShownFields> {
    const key = this.key.export({ format: 'jwk' }) as JWK;
    const asked = { method: 'GET', path: CONTROL_PATH, ...showing } as const;
    return proofFields(key, token ?? (await this.accessToken(url)), url, asked, Date.now());
  }

  /** Opens the channel without a word. @param token an access token; without it a new one is asked for */
  async dial(url: string, token?: string): Promise<ScriptedLink> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v1/control`, 'fairlead.v1', {
      headers: await this.shown(url, token === undefined ? {} : { token }),
      handshakeTimeout: OPEN_WITHIN_MS,
    });
    const link = new ScriptedLink(socket);
    await once(socket, 'open');
    return link;
  }

  hello(overrides: Partial<Hello> = {}): Hello {
    return {
      t: 'hello',
      protocol: { min: 1, max: 1 },
      bootId: this.bootId,
      journalId: this.journalId,
      lastEpoch: this.lastEpoch,
      software: 'scripted/1',
      capabilities: ['runtime.process'],
      labels: {},
      window: 64,
      health: 'online',
      ...overrides,
    };
  }

  /** Opens the channel, is welcomed, and tells its inventory. */
  async connect(
    url: string,
    inventory: InventoryEntry[] = [],
    hello: Partial<Hello> = {},
  ): Promise<ScriptedLink> {
    const link = await this.dial(url);
    link.send(this.hello(hello));
    this.lastEpoch = (await link.next('welcome')).epoch;
    link.send({ t: 'inventory', entries: inventory, last: true });
    await link.next('inventory_ok');
    return link;
  }
}

/** One channel of a scripted broker. Frames wait until the test takes them. */
export class ScriptedLink {
  private readonly frames: HubFrame[] = [];
  private readonly takers: (() => void)[] = [];
  readonly closed: Promise<Ended>;

  constructor(private readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => {
      this.frames.push(parseHubFrame(data.toString('utf8')));
      for (const taker of this.takers.splice(0)) taker();
    });
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  send(frame: BrokerFrame): void {
    this.sendText(JSON.stringify(frame));
  }

  sendText(text: string): void {
    this.socket.send(text);
  }

  /** The next frame of a type, past or to come; frames of other types stay. */
  async next<T extends HubFrame['t']>(type: T, withinMs = 10_000): Promise<Extract<HubFrame, { t: T }>> {
    const until = Date.now() + withinMs;
    for (;;) {
      const index = this.frames.findIndex(({ t }) => t === type);
      const [frame] = index < 0 ? [] : this.frames.splice(index, 1);
      if (frame !== undefined) return frame as Extract<HubFrame, { t: T }>;
      await this.arrival(until - Date.now(), type);
    }
  }

  /** The next dispatch; a frame that carries several gives one after the other. */
  async nextDispatch(withinMs?: number): Promise<DispatchItem> {
    const { dispatches } = await this.next('dispatch', withinMs);
    const [first, ...others] = dispatches;
    if (first === undefined) throw new Error('a dispatch frame without dispatches');
    if (others.length > 0) this.frames.unshift({ t: 'dispatch', dispatches: others });
    return first;
  }

  /** The next command that the hub wants stopped; a frame that carries several gives one after the other. */
  async nextCancel(withinMs?: number): Promise<Attempt> {
    const { cancels } = await this.next('cancel', withinMs);
    const [first, ...others] = cancels;
    if (first === undefined) throw new Error('a cancel frame without cancels');
    if (others.length > 0) this.frames.unshift({ t: 'cancel', cancels: others });
    return first;
  }

  /** How many frames of a type wait to be taken. */
  count(type: HubFrame['t']): number {
    return this.frames.filter(({ t }) => t === type).length;
  }

  ack({ id, attempt }: DispatchItem): void {
    this.send({ t: 'ack', acks: [{ id, attempt }] });
  }

  progress({ id, attempt }: Attempt, told: { fraction?: number; note?: string }): void {
    this.send({ t: 'progress', progress: [{ id, attempt, fraction: null, note: null, ...told }] });
  }

  succeed({ id, attempt }: DispatchItem, body: null | Record<string, string> = null): void {
    this.send({ t: 'result', results: [{ id, attempt, outcome: 'succeeded', body }] });
  }

  fail({ id, attempt }: Attempt, error: Partial<BrokerError> = {}): void {
    const told = { code: 'no_room', message: 'There is no room.', retryable: false, ...error };
    this.send({ t: 'result', results: [{ id, attempt, outcome: 'failed', error: told }] });
  }

  /** Says that it was stopped, or never begun, as the hub asked. */
  cancelled({ id, attempt }: Attempt): void {
    this.send({ t: 'result', results: [{ id, attempt, outcome: 'cancelled' }] });
  }

  /** Cuts the connection without a word. */
  cut(): void {
    this.socket.terminate();
  }

  async close(): Promise<void> {
    this.send({ t: 'goodbye', reason: 'the test is over' });
    await this.closed;
  }

  private async arrival(withinMs: number, type: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      new Promise<void>((resolve) => this.takers.push(resolve)),
      this.closed.then(({ code, reason }) => {
        throw new Error(`the hub closed the link with ${code} ${reason} before a ${type} came`);
      }),
      new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`no ${type} came in time`)), Math.max(0, withinMs));
      }),
    ]).finally(() => clearTimeout(timer));
  }
}
