/**
 * The hub that a broker is tried against: it lets one broker join, hands out tokens, welcomes, and does beyond that what
 * the rules say. It keeps nothing and judges nothing by itself.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Hello, Welcome } from '../../protocol/frame.js';
import { LIMITS, TIMES } from '../../protocol/limits.js';
import { CONTROL_PATH, POLL_PATH, STANDBY_SUBPROTOCOL, SUBPROTOCOL } from '../../protocol/version.js';
import { Arrivals } from '../arrivals.js';
import type { Pace } from '../pace.js';
import { PlayedPolls } from './played-polls.js';
import { SeenLink } from './seen-link.js';

export type Refusal = { status: number; code: string; retryAfterMs?: number; hubTime?: string };
export type Upgrade = { headers: IncomingMessage['headers']; path: string; refused: Refusal | undefined };
export type Asked = { body: Record<string, unknown>; atMs: number };

const BODY_MOST = LIMITS.pollBytes;
const TOKEN_LIVES_S = 900;
const KEEP_ALIVE_MS = 600_000;
const SERVED = [SUBPROTOCOL, STANDBY_SUBPROTOCOL];

export class PlayedHub {
  readonly hubId = `urn:fairlead:${randomUUID()}`;
  readonly joinToken = `flj_${randomBytes(32).toString('base64url')}`;
  readonly brokerId = randomUUID();
  readonly joins: Asked[] = [];
  readonly assertions: Asked[] = [];
  readonly upgrades = new Arrivals<Upgrade>();
  readonly links = new Arrivals<SeenLink>();
  /** Those that were not welcomed: their hello was held, or none came. */
  readonly held = new Arrivals<SeenLink>();
  /** Second links that the broker holds ready, each with the word that it does. */
  readonly standbys = new Arrivals<SeenLink>();
  /** Upgrades for such links, with those that were refused: what is counted above is of links that carry work. */
  readonly standbyUpgrades = new Arrivals<Upgrade>();
  /** Frames that nobody could read. */
  readonly faults: string[] = [];
  /** Taken one after another, before anything is given. */
  readonly tokenRefusals: Refusal[] = [];
  readonly upgradeRefusals: Refusal[] = [];
  /** What the next welcomes say other than usual. */
  welcome: Partial<Welcome> = {};
  /** Whether hellos are answered. */
  isWelcoming = true;
  /** Whether second links are taken; else this is a hub that knows of none, so that no rule finds one in its way. */
  isHoldingStandbys = false;
  /** Whether something on the way lets no WebSocket through; what it answers is no word of a hub. */
  isWalled = false;
  readonly polls = new PlayedPolls(
    (socket, headers) => this.opened(socket as unknown as WebSocket, headers, false),
    (fault) => this.faults.push(fault),
  );
  private epoch = 0;
  private tokens = 0;
  private readonly acceptor = new WebSocketServer({
    noServer: true,
    // What is too large for a broker to send is to be seen here, and not cut.
    maxPayload: 4 * LIMITS.frameBytes,
    perMessageDeflate: false,
    autoPong: false,
    handleProtocols: (offered) => SERVED.find((name) => offered.has(name)) ?? false,
  });

  private constructor(
    private readonly server: Server,
    private readonly pace: Pace,
  ) {}

  static async listen(at: { host: string; port: number }, pace: Pace): Promise<PlayedHub> {
    const server = createServer();
    // A rule may last for minutes; a connection that is closed just as it is used again would be told of as the broker's fault.
    server.keepAliveTimeout = KEEP_ALIVE_MS;
    const hub = new PlayedHub(server, pace);
    server.on('request', (request, response) => void hub.answer(request, response));
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      hub.upgrade(request, socket, head),
    );
    server.listen(at.port, at.host);
    await once(server, 'listening');
    return hub;
  }

  get url(): string {
    const { address, port, family } = this.server.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  get newestEpoch(): number {
    return this.epoch;
  }

  /** Greets a link whose hello was held. */
  greet(link: SeenLink, hello: Hello): void {
    this.epoch = Math.max(this.epoch, hello.lastEpoch) + 1;
    const welcome = this.welcomeOf(this.epoch, hello);
    link.epoch = welcome.epoch;
    link.send(welcome);
    this.links.add(link);
  }

  async close(): Promise<void> {
    this.polls.close();
    for (const client of this.acceptor.clients) client.terminate();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > BODY_MOST) break;
    }
    const asked = { body: bodyOf(Buffer.concat(chunks).toString()), atMs: performance.now() };
    if (request.method === 'POST' && request.url === '/api/v1/brokers/join') {
      this.joins.push(asked);
      if (asked.body.token !== this.joinToken) {
        return refuse(response, { status: 401, code: 'join_token_invalid' });
      }
      const { name } = asked.body;
      return give(response, 201, { ...this.token(), brokerId: this.brokerId, name, hubId: this.hubId });
    }
    if (request.method === 'POST' && request.url === '/api/v1/brokers/token') {
      this.assertions.push(asked);
      const refusal = this.tokenRefusals.shift();
      if (refusal !== undefined) return refuse(response, refusal);
      const { accessToken, expiresInS } = this.token();
      return give(response, 200, {
        access_token: accessToken,
        token_type: 'DPoP',
        expires_in: expiresInS,
      });
    }
    if (request.method === 'POST' && request.url === POLL_PATH) {
      const answer = await this.polls.answer(request.headers, asked.body);
      return answer === undefined ? void response.destroy() : give(response, answer.status, answer.body);
    }
    refuse(response, { status: 404, code: 'not_found' });
  }

  private token(): { accessToken: string; expiresInS: number } {
    this.tokens += 1;
    return { accessToken: `conformance-${this.tokens}`, expiresInS: TOKEN_LIVES_S };
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A broker may be gone before it is answered.
    socket.on('error', () => socket.destroy());
    const path = new URL(request.url ?? '/', 'http://hub').pathname;
    const { headers } = request;
    if (this.isWalled) {
      socket.end('HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    const isStandby = path === CONTROL_PATH && isOfStandby(headers);
    const refused = isStandby ? this.refusalOfStandby() : this.refusalAt(path);
    (isStandby ? this.standbyUpgrades : this.upgrades).add({ headers, path, refused });
    if (refused !== undefined) {
      socket.end(
        [
          `HTTP/1.1 ${refused.status} Refused`,
          'connection: close',
          'content-type: application/problem+json',
          ...(refused.retryAfterMs === undefined ? [] : [`retry-after: ${refused.retryAfterMs / 1_000}`]),
          '',
          JSON.stringify(problemOf(refused)),
        ].join('\r\n'),
      );
      return;
    }
    this.acceptor.handleUpgrade(request, socket, head, (accepted) =>
      this.opened(accepted, headers, isStandby),
    );
  }

  private opened(socket: WebSocket, headers: IncomingMessage['headers'], isStandby: boolean): void {
    const token = headers.authorization?.replace(/^DPoP /i, '') ?? '';
    const link = new SeenLink(socket, token, this.pace, (fault) => this.faults.push(fault));
    void link.next('hello').then(
      (hello) => {
        link.hello = hello;
        link.helloAtMs = performance.now();
        if (isStandby) this.holdReady(link);
        else if (this.isWelcoming) this.greet(link, hello);
        else this.held.add(link);
      },
      // It ended first, or the rule that is about hellos says so.
      () => this.held.add(link),
    );
  }

  private refusalAt(path: string): Refusal | undefined {
    return path === CONTROL_PATH ? this.upgradeRefusals.shift() : { status: 404, code: 'not_found' };
  }

  private refusalOfStandby(): Refusal | undefined {
    return this.isHoldingStandbys ? undefined : { status: 426, code: 'protocol_unsupported' };
  }

  private holdReady(link: SeenLink): void {
    const { livenessMs } = TIMES;
    link.send({ t: 'standby_ok', connectionId: randomUUID(), livenessMs, alternatives: [] });
    this.standbys.add(link);
  }

  private welcomeOf(epoch: number, { window }: Hello): Welcome {
    return {
      t: 'welcome',
      connectionId: randomUUID(),
      brokerId: this.brokerId,
      epoch,
      protocol: 1,
      heartbeatMs: TIMES.heartbeatMs,
      livenessMs: TIMES.livenessMs,
      limits: { frameBytes: LIMITS.frameBytes, resultBytes: LIMITS.resultBytes, window },
      hubVersion: 'conformance/1',
      hubTime: new Date().toISOString(),
      alternatives: [],
      attachments: [],
      capabilitiesRevision: 1,
      ...this.welcome,
    };
  }
}

function isOfStandby({ 'sec-websocket-protocol': offered = '' }: IncomingMessage['headers']): boolean {
  const names = offered.split(',').map((name) => name.trim());
  return names.includes(STANDBY_SUBPROTOCOL) && !names.includes(SUBPROTOCOL);
}

function bodyOf(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function problemOf({ status, code, hubTime }: Refusal): Record<string, unknown> {
  return { type: `urn:fairlead:problem:${code}`, title: code, status, code, detail: code, hubTime };
}

function give(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify(body));
}

function refuse(response: ServerResponse, refusal: Refusal): void {
  const { status, retryAfterMs } = refusal;
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    connection: 'close',
    ...(retryAfterMs === undefined ? {} : { 'retry-after': String(retryAfterMs / 1_000) }),
  });
  response.end(JSON.stringify(problemOf(refusal)));
}
