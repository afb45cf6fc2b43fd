import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as rest } from 'node:timers/promises';

const LOOK_MS = 200;
const ANSWER_WITHIN_MS = 1_000;
const CONTROL = /^GET \/api\/v1\/control[ ?]/;
const STANDBY = /^sec-websocket-protocol:.*fairlead\.v1\.standby/im;
/** A standby that has come to the owner of its broker is ended at once, and looks for another replica. */
const ASTRAY_MS = 3_000;

/**
 * The one address of a hub, as a Service of Kubernetes has it: it knows which replicas are ready, by asking, and gives each
 * connection to one of them in turn. What it carries it knows nothing of; a connection stays where it is when its replica is
 * not ready any more.
 */
export class Balancer {
  /** Ways of brokers, as against callers', that have ended; not those of standbys that had gone astray. */
  channelsEnded = 0;
  private readonly urls = new Set<string>();
  private ready: string[] = [];
  private turn = 0;
  private readonly channels = new Set<Socket>();
  private readonly sockets = new Set<Socket>();
  private readonly over = new AbortController();
  private readonly looking: Promise<void>;

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {
    server.on('connection', (socket: Socket) => this.take(socket));
    this.looking = this.look();
  }

  /** @param port 0 for any that is free @throws Error with the system's code where it is taken */
  static async start(port = 0): Promise<Balancer> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return new Balancer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  /** A replica that has said that it is ready. */
  add(url: string): void {
    this.urls.add(url);
    this.ready.push(url);
  }

  /** One that is known to be dead; one that leaves in peace is seen to be unready. */
  remove(url: string): void {
    this.urls.delete(url);
    this.ready = this.ready.filter((each) => each !== url);
  }

  /** Cuts the way of every broker. @returns how many there were */
  cutChannels(): number {
    const cut = [...this.channels];
    for (const socket of cut) socket.resetAndDestroy();
    return cut.length;
  }

  async stop(): Promise<void> {
    this.over.abort();
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await this.looking;
  }

  private take(socket: Socket): void {
    const next = this.ready[(this.turn += 1) % Math.max(1, this.ready.length)];
    if (next === undefined) {
      socket.on('error', () => undefined);
      socket.resetAndDestroy();
      return;
    }
    const url = new URL(next);
    const upstream = connect({ host: url.hostname, port: Number(url.port), allowHalfOpen: true });
    socket.once('data', (head: Buffer) => {
      const text = head.toString('latin1');
      if (!CONTROL.test(text)) return;
      const openedAt = performance.now();
      this.channels.add(socket);
      socket.once('close', () => {
        this.channels.delete(socket);
        const isAstray = STANDBY.test(text) && performance.now() - openedAt < ASTRAY_MS;
        if (!isAstray) this.channelsEnded += 1;
      });
    });
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      this.sockets.add(one);
      one.setNoDelay(true);
      // A reset is told as one: a caller is to see that its answer will not come.
      one.on('error', () => other.resetAndDestroy());
      one.on('close', () => {
        this.sockets.delete(one);
        if (!other.destroyed && !one.readableEnded) other.destroy();
      });
      one.pipe(other);
    }
  }

  private async look(): Promise<void> {
    while (!this.over.signal.aborted) {
      await rest(LOOK_MS, undefined, { signal: this.over.signal }).catch(() => undefined);
      const urls = [...this.urls];
      const found = await Promise.all(urls.map(isReady));
      const asked = new Set(urls);
      const come = this.ready.filter((url) => !asked.has(url));
      this.ready = [...urls.filter((url, place) => found[place] === true && this.urls.has(url)), ...come];
    }
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })).ok;
  } catch {
    return false;
  }
}
