import type { IncomingMessage, Server } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { INestApplicationContext } from '@nestjs/common';
import { AbstractWsAdapter, type MessageMappingProperties } from '@nestjs/websockets';
import { v7 as uuidv7 } from 'uuid';
import { WebSocketServer, type Server as ServerOf } from 'ws';
import { LIMITS } from '../../protocol/limits.js';
import { CONTROL_PATH, STANDBY_SUBPROTOCOL, SUBPROTOCOL } from '../../protocol/version.js';
import { HUB_CONFIG } from '../config/config.module.js';
import type { HubConfig } from '../config/hub-config.js';
import { addressesBehind, type AddressOf } from '../http/remote-address.js';
import { asCoded, problemOf } from '../problems/problem.filter.js';
import type { CodedError } from '../problems/coded.error.js';
import { NotFound } from '../problems/coded.error.js';
import { Admission, type Admitted } from './admission.js';
import { ControlSocket } from './control-socket.js';
import { FrameHandlers, type Received } from './frame-handlers.js';
import { PROBE_TURN_MS, Probes } from './probes.js';
import { ReasonedSocket } from './reasoned-socket.js';
import { Refusals, type Visitor } from './refusals.js';

/** The first of them that a broker offers. */
const SERVED = [SUBPROTOCOL, STANDBY_SUBPROTOCOL];

type SocketServer = ServerOf<typeof ReasonedSocket>;
type ConnectHandler = (client: FrameHandlers) => void;

/**
 * Serves the control channel to Nest's gateways over `ws`. Upgrade, frame parsing, caps and pings are settled
 * here; what frames mean is the gateways' business.
 *
 * A caller is authenticated before the upgrade, so a refusal is a plain HTTP answer with a problem document.
 * Several gateways may serve the same path: each frame type goes to the one that subscribes to it. They are bound once,
 * and take each frame with the socket that it came in on.
 */
export class ControlAdapter extends AbstractWsAdapter {
  private readonly admission: Admission;
  private readonly refusals: Refusals;
  private readonly addressOf: AddressOf;
  private readonly handlers: FrameHandlers;
  private readonly sockets = new Probes<ControlSocket>();
  private server: SocketServer | undefined;
  private ticker: NodeJS.Timeout | undefined;

  constructor(app: INestApplicationContext) {
    super(app);
    this.admission = app.get(Admission);
    this.refusals = app.get(Refusals);
    this.addressOf = addressesBehind(app.get<HubConfig>(HUB_CONFIG).trustedProxies);
    this.handlers = app.get(FrameHandlers);
  }

  override create(): SocketServer {
    if (this.server !== undefined) return this.server;
    this.server = new WebSocketServer({
      WebSocket: ReasonedSocket,
      noServer: true,
      maxPayload: LIMITS.frameBytes,
      perMessageDeflate: false,
      handleProtocols: (offered) => SERVED.find((name) => offered.has(name)) ?? false,
    });
    const http = this.httpServer as Server;
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', destroyed);
      void this.upgrade(request, socket, head);
    });
    this.ticker = setInterval(() => this.sockets.takeTurns(performance.now()), PROBE_TURN_MS).unref();
    return this.server;
  }

  override bindClientConnect(_server: SocketServer, handler: ConnectHandler): void {
    handler(this.handlers);
  }

  /** Gateways do not hear of sockets that end: what observes links does. */
  override bindClientDisconnect(): void {}

  override bindMessageHandlers(client: FrameHandlers, handlers: MessageMappingProperties[]): void {
    for (const { message, callback } of handlers) {
      const handle = callback as (received: Received) => unknown;
      client.add(String(message), (received) => {
        // Faults are turned into the end of the channel by the gateways' filter; nothing is answered from here. No interceptor stands
        // before a gateway, which would give an observable to be followed: the types of handlers leave room for none.
        Promise.resolve(handle(received)).catch(() =>
          received.channel.close('registry_unavailable', 'the hub failed'),
        );
      });
    }
  }

  override async close(server: SocketServer): Promise<void> {
    clearInterval(this.ticker);
    for (const socket of this.sockets) socket.cut();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  private async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    const requestId = uuidv7();
    try {
      const visitor: Visitor = { requestId, address: this.addressOf(request) };
      const admitted = await this.refusals.watch('websocket', visitor, () => this.admit(request, visitor));
      try {
        if (socket.destroyed) return;
        server.handleUpgrade(request, socket, head, (upgraded) => this.connected(upgraded, admitted));
      } finally {
        admitted.settled();
      }
    } catch (error) {
      refuse(socket, asCoded(error), requestId);
    }
  }

  private async admit(request: IncomingMessage, visitor: Visitor): Promise<Admitted> {
    // Not parsed as an address: a stranger's may be none.
    if ((request.url ?? '').split('?', 1)[0] !== CONTROL_PATH) throw new NotFound('channel');
    return this.admission.admit(request, visitor);
  }

  private connected(upgraded: ReasonedSocket, admitted: Admitted): void {
    const client = new ControlSocket(upgraded, admitted, this.handlers);
    this.sockets.add(client);
    client.onClosed(() => this.sockets.delete(client));
  }
}

/** One for all sockets, since it stays with each for as long as that lasts. */
function destroyed(this: Duplex): void {
  this.destroy();
}

function refuse(socket: Duplex, error: CodedError, requestId: string): void {
  const body = JSON.stringify(problemOf(error, requestId));
  const headers = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    ...Object.entries(error.extra.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    ...(error.status === 401 ? ['WWW-Authenticate: DPoP algs="EdDSA"'] : []),
    ...(error.retryAfterS === undefined ? [] : [`Retry-After: ${error.retryAfterS}`]),
  ];
  // From the upgrade on nothing else ends it: a caller that keeps its side open would keep it, and hold up the stop of the hub.
  socket.once('finish', () => socket.destroy());
  socket.end(`${headers.join('\r\n')}\r\n\r\n${body}`);
}
