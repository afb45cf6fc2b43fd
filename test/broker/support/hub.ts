/**
 * A hub that does what a test says: it hands out tokens, welcomes brokers and takes their frames, each of which is
 * held to the protocol. By itself it answers inventories and heartbeats, and nothing else.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type {
  BrokerFrame,
  DispatchItem,
  FrameOf,
  Hello,
  HubFrame,
  Welcome,
} from '../../../src/protocol/frame.js';
import { TIMES } from '../../../src/protocol/limits.js';
import { parseBrokerFrame } from '../../../src/protocol/parse.js';
import { AGENT_TOKENS_PATH } from '../../../src/protocol/version.js';

export type Refusal = { status: number; code?: string; retryAfterS?: number; hubTime?: string };

/** Long enough for a broker that is a process of its own to start on a machine with much else to do. */
const WITHIN_MS = 30_000;

export class ScriptedHub {
  /** Every hello that came, the newest last. */
  readonly links: HubLink[] = [];
  /** The assertions that tokens were asked for with, and the tokens that the channel was asked for with. */
  readonly assertions: string[] = [];
  readonly bearers: string[] = [];
  /** The runs that a credential was asked for, in this order. */
  readonly agentRuns: { agentId: string; runId: string }[] = [];
  /** When each attempt to open the channel came, by the monotonic clock. */
  readonly attemptsMs: number[] = [];
  /** Taken one after another, before tokens and channels are given. */
  readonly tokenRefusals: Refusal[] = [];
  readonly refusals: Refusal[] = [];
  /** What a welcome says other than usual; null for none at all. */
  welcome: Partial<Welcome> | null = {};
  /** Called for each hello at once, before it is answered. */
  onHello: () => void = () => undefined;
  private readonly arrivals: (() => void)[] = [];
  private readonly acceptor = new WebSocketServer({ noServer: true });

  private constructor(private readonly server: Server) {}

  static async open(): Promise<ScriptedHub> {
    const server = createServer();
    const hub = new ScriptedHub(server);
    server.on('request', (request, response) => {
      let text = '';
      request.on('data', (chunk) => (text += String(chunk)));
      request.on('end', () => {
        if (request.url === AGENT_TOKENS_PATH) {
          hub.agentRuns.push(JSON.parse(text) as { agentId: string; runId: string });
          response.writeHead(200, { 'content-type': 'application/json', connection: 'close' });
          response.end(JSON.stringify({ token: `agent-${hub.agentRuns.length}`, expiresInS: 900 }));
          return;
        }
        const { client_assertion: assertion } = JSON.parse(text) as { client_assertion: string };
        hub.assertions.push(assertion);
        const refusal = hub.tokenRefusals.shift();
        const body = refusal ?? { access_token: `token-${hub.assertions.length}`, expires_in: 300 };
        response.writeHead(refusal?.status ?? 200, { ...headersOf(refusal), connection: 'close' });
        response.end(JSON.stringify(body));
      });
    });
    server.on('upgrade', (request, socket, head) => hub.upgrade(request, socket, head));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return hub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The nth link that was ever welcomed here, from 0; waits for it and for its inventory. */
  async link(index: number): Promise<HubLink> {
    const giveUpAt = performance.now() + WITHIN_MS;
    for (;;) {
      const link = this.links[index];
      if (link !== undefined) return link;
      await within(giveUpAt, `link ${index}`, (arrived) => this.arrivals.push(arrived));
    }
  }

  async close(): Promise<void> {
    for (const client of this.acceptor.clients) client.terminate();
    this.server.closeAllConnections();
    if (this.server.listening) await new Promise((resolve) => this.server.close(resolve));
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A broker that is refused or killed may reset what it was told nothing on yet.
    socket.on('error', () => undefined);
    this.attemptsMs.push(performance.now());
    this.bearers.push(request.headers.authorization?.replace('DPoP ', '') ?? '');
    const refusal = this.refusals.shift();
    if (refusal !== undefined) {
      const headers = Object.entries(headersOf(refusal)).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.end(
        `HTTP/1.1 ${refusal.status} No\r\n${headers.join('')}connection: close\r\n\r\n${JSON.stringify(refusal)}`,
      );
      return;
    }
    this.acceptor.handleUpgrade(request, socket, head, (accepted) => {
      accepted.on('error', () => undefined);
      accepted.once('message', (data: Buffer) => {
        const hello = parseBrokerFrame(data.toString());
        if (hello.t !== 'hello') throw new Error(`the first frame was a ${hello.t}`);
        this.onHello();
        if (this.welcome === null) return;
        const link = new HubLink(accepted, hello);
        link.send(this.welcomeTo(hello));
        this.links.push(link);
        for (const arrived of this.arrivals.splice(0)) arrived();
      });
    });
  }

  private welcomeTo({ lastEpoch }: Hello): Welcome {
    return {
      t: 'welcome',
      connectionId: randomUUID(),
      brokerId: randomUUID(),
      epoch: lastEpoch + 1,
      protocol: 1,
      heartbeatMs: TIMES.heartbeatMs,
      livenessMs: TIMES.livenessMs,
      limits: { frameBytes: 1024 * 1024, resultBytes: 256 * 1024, window: 64 },
      hubVersion: 'scripted/1',
      hubTime: new Date().toISOString(),
      alternatives: [],
      attachments: [],
      capabilitiesRevision: 1,
      ...this.welcome,
    };
  }
}

/** One broker's channel, seen from the hub. Frames wait until the test takes them. */
export class HubLink {
  readonly ended: Promise<{ code: number; reason: string }>;
  /** Called for each frame at once, before anything else is read. */
  onFrame: (frame: BrokerFrame) => void = () => undefined;
  private readonly frames: BrokerFrame[] = [];
  private readonly arrivals: (() => void)[] = [];

  constructor(
    readonly socket: WebSocket,
    readonly hello: Hello,
  ) {
    socket.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    socket.on('message', (data: Buffer) => this.take(parseBrokerFrame(data.toString())));
  }

  get isOpen(): boolean {
    return this.socket.readyState === this.socket.OPEN;
  }

  send(frame: HubFrame): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** Sends a command. @returns what was sent, to be sent again */
  dispatch(op: string, args: DispatchItem['args'], given: Partial<DispatchItem> = {}): DispatchItem {
    const item = { id: randomUUID(), attempt: 1, op, args, key: null, remainingMs: 60_000, ...given };
    this.send({ t: 'dispatch', dispatches: [item] });
    return item;
  }

  /** The next frame of a type, past or to come; frames of other types stay. */
  async next<T extends BrokerFrame['t']>(type: T): Promise<FrameOf<T>> {
    return (await this.find((frame) => frame.t === type, `a ${type}`)) as FrameOf<T>;
  }

  /** The next result of a command. */
  async result(id: string): Promise<FrameOf<'result'>['results'][number]> {
    const isOfIt = (frame: BrokerFrame) =>
      frame.t === 'result' && frame.results.some((item) => item.id === id);
    const { results } = (await this.find(isOfIt, `the result of ${id}`)) as FrameOf<'result'>;
    const others = results.filter((item) => item.id !== id);
    if (others.length > 0) this.frames.unshift({ t: 'result', results: others });
    const [result] = results.filter((item) => item.id === id);
    if (result === undefined) throw new Error('just found');
    return result;
  }

  async acked(id: string): Promise<void> {
    await this.find(
      (frame) => frame.t === 'ack' && frame.acks.some((ack) => ack.id === id),
      `the ack of ${id}`,
    );
  }

  /** The next frame of which the test says that it is the one. */
  async find(matches: (frame: BrokerFrame) => boolean, what: string): Promise<BrokerFrame> {
    const giveUpAt = performance.now() + WITHIN_MS;
    for (;;) {
      const index = this.frames.findIndex(matches);
      const [frame] = index < 0 ? [] : this.frames.splice(index, 1);
      if (frame !== undefined) return frame;
      await within(giveUpAt, what, (arrived) => this.arrivals.push(arrived));
    }
  }

  count(type: BrokerFrame['t']): number {
    return this.frames.filter(({ t }) => t === type).length;
  }

  private take(frame: BrokerFrame): void {
    this.onFrame(frame);
    this.frames.push(frame);
    if (frame.t === 'inventory' && frame.last) this.send({ t: 'inventory_ok' });
    if (frame.t === 'heartbeat') this.send({ t: 'heartbeat_ack', hubTime: new Date().toISOString() });
    for (const arrived of this.arrivals.splice(0)) arrived();
  }
}

function headersOf(refusal: Refusal | undefined): Record<string, string> {
  return {
    'content-type': 'application/json',
    ...(refusal?.retryAfterS === undefined ? {} : { 'retry-after': String(refusal.retryAfterS) }),
  };
}

async function within(
  giveUpAt: number,
  what: string,
  subscribe: (arrived: () => void) => void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${what} did not come in time`)),
        giveUpAt - performance.now(),
      );
      subscribe(resolve);
    });
  } finally {
    clearTimeout(timer);
  }
}
