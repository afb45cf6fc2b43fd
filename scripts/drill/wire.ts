import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** The network between one replica and its database, which can be cut: nothing passes then, and nothing gets through. */
export class Wire {
  private readonly sockets = new Set<Socket>();
  private isCut = false;

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async to(databaseUrl: string): Promise<Wire> {
    const target = new URL(databaseUrl);
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(databaseUrl);
    url.hostname = '127.0.0.1';
    url.port = String((server.address() as { port: number }).port);
    const wire = new Wire(server, url.href);
    server.on('connection', (socket: Socket) => wire.take(socket, target));
    return wire;
  }

  /** @returns what mends it */
  cut(): () => void {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
    return () => (this.isCut = false);
  }

  close(): void {
    this.cut();
    this.server.close();
  }

  private take(socket: Socket, target: URL): void {
    socket.on('error', () => socket.destroy());
    if (this.isCut) {
      socket.destroy();
      return;
    }
    const upstream = connect(Number(target.port), target.hostname);
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      this.sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}
