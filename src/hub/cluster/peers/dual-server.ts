import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  createServer as createServer2,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { Socket } from 'node:net';
import {
  createServer as createTlsServer,
  TLSSocket,
  type SecureContextOptions,
  type Server as TlsServer,
} from 'node:tls';
import { codeOf } from '../../config/error-code.js';
import { INTERNAL_TLS_NAME } from '../../config/internal-tls.js';
import { RECEIVED_WITHIN_MS } from '../../http/unread.js';

export type DualRequest = IncomingMessage | Http2ServerRequest;
export type DualResponse = ServerResponse | Http2ServerResponse;

/** The first bytes of every connection of HTTP/2 (RFC 9113, section 3.4), and of none of HTTP/1. */
const PREFACE = 'PRI';
/** The first byte of every connection of TLS (a record that shakes hands), and of none of HTTP. */
const HANDSHAKE = 0x16;
const FIRST_BYTES_WITHIN_MS = 10_000;
const ANSWERED_WITHIN_MS = 2_000;
/** Calls of one link that are under way at once; more wait at the caller. */
const STREAMS_OF_A_SESSION = 4_096;
/**
 * Replicas ping their links every 10 s: one of which nothing is heard for so long is gone, and could not say so. Longer than the minute that
 * those who read metrics may leave between two times.
 */
const SILENT_MS = 90_000;

/** In milliseconds; a test has less of them. */
export type DualTimes = {
  /** After which a link ends of which nothing is heard. */
  silentMs: number;
  /** Within which a request of HTTP/1 is to be there to its last byte; it is cut within half as much again. */
  receivedWithinMs: number;
};

const TIMES: DualTimes = { silentMs: SILENT_MS, receivedWithinMs: RECEIVED_WITHIN_MS };

export type DualTls = {
  /** Whether a connection without it is cut. */
  isRequired: boolean;
  /** The certificate and its key, and the authority that has signed those of all callers. */
  context: SecureContextOptions;
  onRefused: (refused: { address: string | undefined; why: string }) => void;
};

/**
 * HTTP/1 and HTTP/2 on one port, told apart by the first bytes of each connection: metrics and a drain on this machine come
 * in the one, and other replicas in the other. With certificates TLS comes in there too, or alone; whoever calls shows one
 * of the same authority.
 */
export class DualServer {
  private readonly http1: Server;
  private readonly http2: Http2Server;
  private readonly tls: TlsServer | undefined;
  private readonly sessions = new Set<ServerHttp2Session>();
  /** Of which it is not known yet what they speak. */
  private readonly unsorted = new Set<Socket>();
  private isClosing = false;

  /** @param options what TLS takes; without it there is none */
  constructor(
    answer: (request: DualRequest, response: DualResponse) => void,
    private readonly options?: DualTls,
    private readonly times = TIMES,
  ) {
    const { receivedWithinMs } = times;
    const bounds = { requestTimeout: receivedWithinMs, connectionsCheckingInterval: receivedWithinMs / 2 };
    this.http1 = createServer(bounds, answer);
    this.http2 = createServer2({ settings: { maxConcurrentStreams: STREAMS_OF_A_SESSION } }, answer);
    // The server of HTTP/1 holds the port, so that it minds its connections as ever; it is given what is its own.
    const [serve] = this.http1.listeners('connection');
    this.http1.removeAllListeners('connection');
    const first = (socket: Socket) => void serve?.call(this.http1, socket);
    const second = (socket: Socket) => this.link(socket);
    const tls = options && this.secured(options, { first, second });
    this.tls = tls;
    const plain = (socket: Socket, taken: (socket: Socket) => void) => {
      this.unsorted.delete(socket);
      if (options?.isRequired === true) this.refuse(socket, 'it speaks no TLS');
      else taken(socket);
    };
    this.http1.on('connection', (socket: Socket) => {
      this.unsorted.add(socket);
      socket.once('close', () => this.unsorted.delete(socket));
      sort(socket, {
        first: () => plain(socket, first),
        second: () => plain(socket, second),
        secure: () => {
          if (tls === undefined) plain(socket, first);
          else tls.emit('connection', socket);
        },
      });
    });
  }

  /** Connections that are made from here on are judged by these; those that are open stay. */
  renew(context: SecureContextOptions): void {
    this.tls?.setSecureContext(context);
  }

  private link(socket: Socket): void {
    // The server of HTTP/1 leaves sockets half open whose other end is closed, and reads of it itself. HTTP/2 hears of no such end:
    // the link of a process that was killed would stay.
    socket.allowHalfOpen = false;
    const take = (session: ServerHttp2Session) => this.take(session, socket);
    this.http2.once('session', take);
    this.http2.emit('connection', socket);
    this.http2.off('session', take);
  }

  private take(session: ServerHttp2Session, socket: Socket): void {
    // One that was begun before the end of listening would else be waited for as long as its caller likes.
    if (this.isClosing) session.destroy();
    this.sessions.add(session);
    session.on('close', () => this.sessions.delete(session));
    session.on('error', () => session.destroy());
    // Nobody is there who would take a farewell, and its session would wait until one is taken.
    session.setTimeout(this.times.silentMs, () => socket.destroy());
    // A ping counts as a word only where somebody hears it.
    session.on('ping', () => undefined);
  }

  private secured(
    { context }: DualTls,
    { first, second }: { first: (socket: Socket) => void; second: (socket: Socket) => void },
  ): TlsServer {
    const server = createTlsServer({
      ...context,
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: FIRST_BYTES_WITHIN_MS,
    });
    server.on('secureConnection', (socket) => {
      // It is the one that came in from there, which was not sorted until hands were shaken.
      for (const each of this.unsorted) {
        const isThis = each.remotePort === socket.remotePort && each.remoteAddress === socket.remoteAddress;
        if (isThis) this.unsorted.delete(each);
      }
      if (socket.alpnProtocol === 'h2') second(socket);
      else first(socket);
    });
    server.on('tlsClientError', (error, socket) => {
      // Of a certificate that is not good the socket knows more than the error, which tells only that it ended.
      const why = socket.authorizationError ?? codeOf(error) ?? 'unknown';
      this.refuse(socket, `its hands could not be shaken: ${String(why)}`);
    });
    return server;
  }

  private refuse(socket: Socket, why: string): void {
    const { remoteAddress: address } = socket;
    socket.destroy();
    this.options?.onRefused({ address, why });
  }

  /** @throws Error with the code of the system where the address cannot be bound */
  async listen(port: number, host: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.http1.once('error', reject);
      this.http1.listen(port, host, () => {
        this.http1.off('error', reject);
        resolve();
      });
    });
  }

  get port(): number | undefined {
    const address = this.http1.address();
    return typeof address === 'object' ? address?.port : undefined;
  }

  /** Ends the links, and waits for what HTTP/1 is still being answered; a request that is never sent to its end is cut. */
  async close(): Promise<void> {
    if (!this.http1.listening) return;
    const closed = new Promise<void>((resolve) => this.http1.close(() => resolve()));
    this.isClosing = true;
    this.http1.closeIdleConnections();
    for (const socket of this.unsorted) socket.destroy();
    for (const session of this.sessions) session.destroy();
    const late = setTimeout(() => this.http1.closeAllConnections(), ANSWERED_WITHIN_MS);
    await closed;
    clearTimeout(late);
  }
}

const judgedSessions = new WeakMap<object, boolean>();

/**
 * Whether a request comes from a replica as far as the certificate of its connection tells: others who are signed by the same
 * authority may read what asks for no signature. Without TLS there is none to judge by.
 */
export function isOfReplica(request: DualRequest): boolean {
  if (!('stream' in request)) return isNamed(request.socket);
  const { session } = request.stream;
  // It is gone, and so is whoever asked.
  if (session === undefined || session.destroyed) return false;
  const judged = judgedSessions.get(session) ?? isNamed(session.socket);
  judgedSessions.set(session, judged);
  return judged;
}

function isNamed(socket: Socket): boolean {
  return (
    !(socket instanceof TLSSocket) ||
    socket.getPeerX509Certificate()?.checkHost(INTERNAL_TLS_NAME) !== undefined
  );
}

type Kinds = { first: () => void; second: () => void; secure: () => void };

function sort(socket: Socket, { first, second, secure }: Kinds): void {
  let head = Buffer.alloc(0);
  const fail = () => socket.destroy();
  const timer = setTimeout(fail, FIRST_BYTES_WITHIN_MS).unref();
  const done = () => {
    clearTimeout(timer);
    socket.off('readable', read).off('error', fail).off('close', done);
  };
  const read = () => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    head = Buffer.concat([head, chunk]);
    const start = head.subarray(0, PREFACE.length).toString('latin1');
    if (start.length < PREFACE.length && PREFACE.startsWith(start)) return;
    done();
    socket.unshift(head);
    if (head[0] === HANDSHAKE) secure();
    else if (start === PREFACE) second();
    else first();
  };
  socket.on('readable', read).on('error', fail).on('close', done);
}
