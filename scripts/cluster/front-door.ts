import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

const CONNECT_WITHIN_MS = 1_000;

/** One address before all replicas: each connection is led to one that is ready, or to the next where that refuses. */
export class FrontDoor {
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  /**
   * @param next a replica that is ready; another one each time
   * @param port 0 for any that is free
   * @throws Error with the system's code where the port is taken
   */
  static async open(next: () => string, port: number): Promise<FrontDoor> {
    const server = createServer();
    const door = new FrontDoor(server);
    server.on('connection', (from) => {
      door.keep(from);
      void door.lead(from, next);
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return door;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private async lead(from: Socket, next: () => string): Promise<void> {
    for (let tries = 0; tries < 3; tries += 1) {
      const to = await this.reach(next).catch(() => undefined);
      if (to === undefined) continue;
      from.on('close', () => to.destroy());
      to.on('close', () => from.destroy());
      from.pipe(to).pipe(from);
      return;
    }
    from.destroy();
  }

  private async reach(next: () => string): Promise<Socket> {
    const { hostname, port } = new URL(next());
    const socket = connect(Number(port), hostname);
    this.keep(socket);
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_WITHIN_MS) });
    return socket;
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  }
}
