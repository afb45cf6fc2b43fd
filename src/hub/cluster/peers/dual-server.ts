import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  createServer as createServer2,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { Socket } from 'node:net';

export type DualRequest = IncomingMessage | Http2ServerRequest;
export type DualResponse = ServerResponse | Http2ServerResponse;

/** The first bytes of every connection of HTTP/2 (RFC 9113, section 3.4), and of none of HTTP/1. */
const PREFACE = 'PRI';
const FIRST_BYTES_WITHIN_MS = 10_000;
const ANSWERED_WITHIN_MS = 2_000;
/** Calls of one link that are under way at once; more wait at the caller. */
const STREAMS_OF_A_SESSION = 4_096;

/**
 * HTTP/1 and HTTP/2 on one port, told apart by the first bytes of each connection: probes, metrics and a drain on this
 * machine come in the one, and other replicas in the other.
 */
export class DualServer {
  private readonly http1: Server;
  private readonly http2: Http2Server;
  private readonly sessions = new Set<ServerHttp2Session>();
  /** Of which it is not known yet what they speak. */
  private readonly unsorted = new Set<Socket>();
  private isClosing = false;

  constructor(answer: (request: DualRequest, response: DualResponse) => void) {
    this.http1 = createServer(answer);
    this.http2 = createServer2({ settings: { maxConcurrentStreams: STREAMS_OF_A_SESSION } }, answer);
    this.http2.on('session', (session) => {
      // One that was begun before the end of listening would else be waited for as long as its caller likes.
      if (this.isClosing) session.destroy();
      this.sessions.add(session);
      session.on('close', () => this.sessions.delete(session));
      session.on('error', () => session.destroy());
    });
    // The server of HTTP/1 holds the port, so that it minds its connections as ever; it is given what is its own.
    const [serve] = this.http1.listeners('connection');
    this.http1.removeAllListeners('connection');
    this.http1.on('connection', (socket: Socket) => {
      this.unsorted.add(socket);
      socket.once('close', () => this.unsorted.delete(socket));
      sort(socket, {
        first: () => {
          this.unsorted.delete(socket);
          serve?.call(this.http1, socket);
        },
        second: () => {
          this.unsorted.delete(socket);
          this.http2.emit('connection', socket);
        },
      });
    });
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

function sort(socket: Socket, { first, second }: { first: () => void; second: () => void }): void {
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
    if (start === PREFACE) second();
    else first();
  };
  socket.on('readable', read).on('error', fail).on('close', done);
}
