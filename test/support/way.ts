import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';

/** A call of this path: as it comes, or once it is answered. */
export type Moment = { path: string; of: 'request' | 'answer'; isIt?: (body: string) => boolean };

/** The network before the hub, which tells when a call is under way and holds it there until the caller is gone. */
export class Way {
  private moment: (Moment & { reached: () => void }) | undefined;
  /** Paths whose answers have arrived. */
  readonly answered = new Set<string>();
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;

  private constructor(private target: URL) {
    this.server = createServer((incoming, outgoing) => void this.pass(incoming, outgoing));
    this.server.on('upgrade', (incoming: IncomingMessage, socket: Socket) => this.upgrade(incoming, socket));
  }

  static async open(target: string): Promise<Way> {
    const way = new Way(new URL(target));
    way.server.listen(0, '127.0.0.1');
    await once(way.server, 'listening');
    return way;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as { port: number }).port}`;
  }

  /** Resolves when this moment has come; what comes then never arrives. */
  at(moment: Moment): Promise<void> {
    return new Promise((reached) => (this.moment = { ...moment, reached }));
  }

  /** What comes from now on goes there. */
  leadTo(target: string): void {
    this.target = new URL(target);
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (!this.server.listening) return;
    for (const socket of this.sockets) socket.destroy();
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method, url = '/', headers } = incoming;
    const body = await text(incoming);
    const held = this.heldFor(url, body);
    if (held?.of === 'request') return held.reached();
    const onward = request(new URL(url, this.target), { method, headers, agent: false });
    onward.on('error', () => outgoing.destroy());
    onward.on('response', (answer) => {
      void text(answer).then((told) => {
        if (held !== undefined) return held.reached();
        this.answered.add(url);
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers).end(told);
      });
    });
    onward.end(body);
  }

  private heldFor(url: string, body: string): (Moment & { reached: () => void }) | undefined {
    const { moment } = this;
    if (moment?.path !== url || moment.isIt?.(body) === false) return undefined;
    this.moment = undefined;
    return moment;
  }

  private upgrade({ method, url, rawHeaders }: IncomingMessage, socket: Socket): void {
    const onward = connect(Number(this.target.port), this.target.hostname, () => {
      const fields = Array.from(
        { length: rawHeaders.length / 2 },
        (_, at) => `${rawHeaders[2 * at]}: ${rawHeaders[2 * at + 1]}`,
      );
      onward.write(`${[`${method} ${url} HTTP/1.1`, ...fields].join('\r\n')}\r\n\r\n`);
      socket.pipe(onward).pipe(socket);
    });
    for (const each of [socket, onward]) {
      this.sockets.add(each);
      each.on('error', () => each.destroy());
      each.on('close', () => this.sockets.delete(each));
    }
    socket.on('close', () => onward.destroy());
    onward.on('close', () => socket.destroy());
  }
}
