import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';

/**
 * What stands before a hub in some networks: passes HTTP on, to one replica after the other, and lets no WebSocket
 * through until it is told to.
 */
export class UpgradeProxy {
  /** Swallowed is what is answered with 101, and of which nothing goes on from there. */
  upgradesAre: 'refused' | 'swallowed' | 'passed' = 'refused';
  /** Milliseconds from the answer to an upgrade to what its replica says after that. */
  lateMs = 0;
  /** Requests that each replica was given. */
  readonly passed: number[];
  upgrades = 0;
  private turn = 0;
  private loses: ((answer: string) => boolean) | undefined;
  private readonly tunnels = new Set<Duplex>();
  private readonly swallower = new WebSocketServer({
    noServer: true,
    autoPong: false,
    handleProtocols: ([offered]) => offered ?? false,
  });
  private readonly server: Server;

  private constructor(private readonly targets: readonly string[]) {
    this.passed = targets.map(() => 0);
    this.server = createServer((incoming, outgoing) => this.pass(incoming, outgoing));
    this.server.on('upgrade', (incoming: IncomingMessage, socket: Socket, head: Buffer) =>
      this.upgrade(incoming, socket, head),
    );
  }

  static async open(targets: readonly string[]): Promise<UpgradeProxy> {
    const proxy = new UpgradeProxy(targets);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get url(): string {
    const address = this.server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`;
  }

  /** The next answer that is like this is lost on its way. @returns when it was */
  lose(isLost: (answer: string) => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.loses = (answer) => {
        if (!isLost(answer)) return false;
        this.loses = undefined;
        resolve();
        return true;
      };
    });
  }

  cutTunnels(): void {
    for (const tunnel of this.tunnels) tunnel.destroy();
  }

  async close(): Promise<void> {
    this.cutTunnels();
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private next(): URL {
    const at = this.turn % this.targets.length;
    this.turn += 1;
    this.passed[at] = (this.passed[at] ?? 0) + 1;
    return new URL(this.targets[at] ?? '');
  }

  private pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method, url = '/', headers } = incoming;
    const onward = request(new URL(url, this.next()), { method, headers, agent: false });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    onward.on('response', (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part)).on('error', () => outgoing.destroy());
      answer.on('end', () => {
        const body = Buffer.concat(parts);
        if (this.loses?.(body.toString()) === true) outgoing.destroy();
        else outgoing.writeHead(answer.statusCode ?? 502, answer.headers).end(body);
      });
    });
    incoming.pipe(onward);
  }

  private upgrade(incoming: IncomingMessage, socket: Socket, head: Buffer): void {
    this.upgrades += 1;
    socket.on('error', () => socket.destroy());
    if (this.upgradesAre === 'refused') {
      socket.end('HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    if (this.upgradesAre === 'swallowed') {
      this.tunnels.add(socket);
      socket.on('close', () => this.tunnels.delete(socket));
      this.swallower.handleUpgrade(incoming, socket, head, (taken) => taken.on('error', () => undefined));
      return;
    }
    const target = this.next();
    const onward = connect(Number(target.port), target.hostname, () => {
      const { method, url, rawHeaders } = incoming;
      const lines = [`${method ?? 'GET'} ${url ?? '/'} HTTP/1.1`];
      for (let at = 0; at < rawHeaders.length; at += 2)
        lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
      onward.write(`${lines.join('\r\n')}\r\n\r\n`);
      socket.pipe(onward);
      onward.once('data', (answer: Buffer) => {
        socket.write(answer);
        onward.pause();
        setTimeout(() => onward.pipe(socket), this.lateMs);
      });
    });
    this.tunnels.add(socket);
    onward.on('error', () => socket.destroy());
    onward.on('close', () => socket.destroy());
    socket.on('close', () => {
      this.tunnels.delete(socket);
      onward.destroy();
    });
  }
}
