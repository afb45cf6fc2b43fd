import { once } from 'node:events';
import { createServer, connect, type Server, type Socket } from 'node:net';

type Fault = {
  statement: string;
  part: 'question' | 'answer';
  /** Called with what lets a held part go on. */
  hit: (goOn: () => void) => void;
  isHeld: boolean;
};

/**
 * Stands between a hub and its database and breaks or holds up a connection at the worst moment: when the server has carried out
 * a statement and before its answer arrives, or when the statement was written and before the server has it. Prepared
 * statements travel by name, so each can be told from its bytes.
 */
export class DatabaseProxy {
  private readonly sockets = new Set<Socket>();
  private fault: Fault | undefined;
  private isFrozen = false;
  private areListenersDeaf = false;
  private tellsLateMs = 0;
  private target: URL;
  private readonly listeners = new Map<Socket, string>();

  private constructor(
    private readonly server: Server,
    databaseUrl: string,
    readonly url: string,
  ) {
    this.target = new URL(databaseUrl);
  }

  static async start(databaseUrl: string): Promise<DatabaseProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(databaseUrl);
    url.hostname = '127.0.0.1';
    url.port = String((server.address() as { port: number }).port);
    const proxy = new DatabaseProxy(server, databaseUrl, url.href);
    server.on('connection', (socket) => proxy.take(socket));
    return proxy;
  }

  /** Breaks the connection under the next run of a statement. @returns what resolves when that has happened */
  lose(part: Fault['part'], statement: string): Promise<void> {
    return new Promise((resolve) => {
      this.fault = { part, statement, isHeld: false, hit: () => resolve() };
    });
  }

  /** Holds up the next run of a statement. @returns when it is held, what lets it go on */
  hold(part: Fault['part'], statement: string): Promise<() => void> {
    return new Promise((resolve) => {
      this.fault = { part, statement, isHeld: true, hit: resolve };
    });
  }

  /** New connections go to another server, as where its name leads to another. */
  leadTo(databaseUrl: string): void {
    this.target = new URL(databaseUrl);
  }

  /** Nothing passes any more, and nothing is closed: a server that hangs. @returns what ends it */
  freeze(): () => void {
    this.isFrozen = true;
    for (const socket of this.sockets) socket.pause();
    return () => {
      this.isFrozen = false;
      for (const socket of this.sockets) socket.resume();
    };
  }

  /**
   * What the server tells those that listen does not arrive any more, and nothing is closed: deaf, and well by the look
   * of the socket. @returns what ends it
   */
  deafen(): () => void {
    this.areListenersDeaf = true;
    for (const upstream of this.listeners.keys()) upstream.pause();
    return () => {
      this.areListenersDeaf = false;
      for (const upstream of this.listeners.keys()) upstream.resume();
    };
  }

  /** What the server tells those that listen arrives so much later, in its order. @returns what ends it */
  tellLate(byMs: number): () => void {
    this.tellsLateMs = byMs;
    return () => {
      this.tellsLateMs = 0;
    };
  }

  /** The channels on which somebody listens through here. */
  get channels(): string[] {
    return [...this.listeners.values()];
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private take(client: Socket): void {
    const upstream = connect(Number(this.target.port), this.target.hostname);
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    let struck: Fault | undefined;
    for (const socket of [client, upstream]) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', () => {
        this.sockets.delete(socket);
        this.listeners.delete(upstream);
        end();
      });
    }
    const strike = ({ isHeld, hit }: Fault, held: Buffer, to: Socket) => {
      if (!isHeld) end();
      hit(() => {
        struck = undefined;
        to.write(held);
      });
    };
    client.on('data', (data) => {
      const { fault } = this;
      const channel = /listen "(\w+)"/.exec(data.toString('latin1'))?.[1];
      if (channel !== undefined) {
        this.listeners.set(upstream, channel);
        if (this.areListenersDeaf) upstream.pause();
      }
      if (fault !== undefined && data.includes(`\0${fault.statement}\0`)) {
        struck = fault;
        this.fault = undefined;
      }
      if (struck?.part === 'question') strike(struck, data, upstream);
      else upstream.write(data);
    });
    const late: Buffer[] = [];
    let answer = Buffer.alloc(0);
    upstream.on('data', (data) => {
      if (struck === undefined) {
        const isLate = this.tellsLateMs > 0 && this.listeners.has(upstream);
        if (isLate || late.length > 0) {
          late.push(data);
          // Whichever of them ends first takes the oldest: none overtakes another.
          setTimeout(() => client.write(late.shift() ?? ''), this.tellsLateMs);
        } else client.write(data);
        return;
      }
      // ReadyForQuery is the server's last word on a statement: by then it is committed.
      answer = Buffer.concat([answer, data]);
      if (answer.subarray(-READY.length).equals(READY)) strike(struck, answer, client);
    });
    if (this.isFrozen) for (const socket of [client, upstream]) socket.pause();
  }
}

/** Outside of a transaction. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
