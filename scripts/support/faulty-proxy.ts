/**
 * A network that can be made to fail, between any two programs that speak TCP: no privilege is needed, since each
 * connection is led through this process. Each link can be cut, stalled, delayed and left half-open, in one direction or
 * in both; a manner goes for all links that are made while it is set, so that a partition holds for those who dial anew.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Flow } from './flow.js';

/** From whoever dialled to whoever was dialled, or the other way. */
export const WAYS = ['there', 'back'] as const;
export type Way = (typeof WAYS)[number];
export type Address = { host: string; port: number };
export type Manner = (link: FaultyLink) => void;
/** For how long nothing passed: milliseconds since 1970, Infinity while it goes on. */
export type Hold = { fromMs: number; untilMs: number };
/** Who ended a link: whoever dialled, whoever was dialled, or a fault. */
export type EndedBy = 'near' | 'far' | 'fault';

const CONNECT_WITHIN_MS = 2_000;

export class FaultyProxy {
  private readonly open = new Set<FaultyLink>();
  private readonly dialling = new Set<Socket>();
  /** Struck on each link as it is made. */
  manner: Manner | undefined;
  private readonly manners = new Set<Manner>();
  private readonly linkTakers: ((link: FaultyLink) => void)[] = [];
  private readonly unreachedTakers: ((nearPort: number) => void)[] = [];

  private constructor(
    private readonly server: Server,
    readonly port: number,
    private readonly route: () => readonly Address[],
  ) {}

  /**
   * @param route asked for each connection: who may have it, the first that takes it does; nobody: it is reset
   * @param at its own port, 0 for any that is free
   */
  static async start(route: () => readonly Address[], at = 0): Promise<FaultyProxy> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    server.listen(at, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const proxy = new FaultyProxy(server, port, route);
    server.on('connection', (near: Socket) => void proxy.take(near));
    return proxy;
  }

  get links(): readonly FaultyLink[] {
    return [...this.open];
  }

  /** Told of each link as it is made. */
  onLink(take: (link: FaultyLink) => void): void {
    this.linkTakers.push(take);
  }

  /** Told of each connection that nobody took, by the port from which it came. */
  onUnreached(take: (nearPort: number) => void): void {
    this.unreachedTakers.push(take);
  }

  /** The same URL, by way of it. */
  urlOf(url: string): string {
    const here = new URL(url);
    here.hostname = '127.0.0.1';
    here.port = String(this.port);
    return here.href;
  }

  /** Another manner, beside those that others have set. @returns what ends it */
  impose(manner: Manner): () => void {
    this.manners.add(manner);
    return () => this.manners.delete(manner);
  }

  /** Cuts every link, and each that is made until it is mended. @returns what mends it */
  cut(): () => void {
    for (const link of this.links) link.cut();
    this.manner = (link) => link.cut();
    return () => (this.manner = undefined);
  }

  async stop(): Promise<void> {
    this.server.close();
    for (const socket of this.dialling) socket.destroy();
    for (const link of this.open) link.cut();
    await once(this.server, 'close');
  }

  private async take(near: Socket): Promise<void> {
    near.on('error', () => undefined);
    const nearPort = near.remotePort ?? 0;
    this.dialling.add(near);
    const target = await this.reach(near);
    this.dialling.delete(near);
    if (target === undefined || near.destroyed) {
      target?.far.destroy();
      if (!near.destroyed) near.resetAndDestroy();
      for (const each of this.unreachedTakers) each(nearPort);
      return;
    }
    const link = new FaultyLink(near, target.far, target.address, () => this.open.delete(link));
    this.open.add(link);
    for (const each of this.linkTakers) each(link);
    this.manner?.(link);
    for (const manner of this.manners) manner(link);
    near.resume();
  }

  private async reach(near: Socket): Promise<{ far: Socket; address: Address } | undefined> {
    for (const address of this.route()) {
      if (near.destroyed) return undefined;
      const far = connect({ ...address, allowHalfOpen: true });
      far.on('error', () => undefined);
      this.dialling.add(far);
      const isReached = await reached(far);
      this.dialling.delete(far);
      if (isReached) return { far, address };
      far.destroy();
    }
    return undefined;
  }
}

/** One connection through the proxy. */
export class FaultyLink {
  private readonly flows: Readonly<Record<Way, Flow>>;
  /** The port from which whoever dialled sees it go. */
  readonly nearPort: number;
  /** The port from which the far side sees it come. */
  readonly farPort: number;
  /** When it was made, when it was first cut or silenced here, and when a side first ended it: milliseconds since 1970. */
  readonly openedMs = Date.now();
  brokenMs: number | null = null;
  endedMs: number | null = null;
  endedBy: EndedBy | null = null;
  /** Whether it was cut here before both sides had ended it. */
  isTorn = false;
  /** When it was stalled. */
  readonly holds: Hold[] = [];
  /** Sides that have ended it, be the other told or not. */
  private readonly left = new Set<'near' | 'far'>();
  private readonly overTakers: (() => void)[] = [];

  constructor(
    private readonly near: Socket,
    private readonly far: Socket,
    readonly target: Address,
    over: () => void,
  ) {
    this.overTakers.push(over);
    near.setNoDelay(true);
    far.setNoDelay(true);
    this.nearPort = near.remotePort ?? 0;
    this.farPort = far.localPort ?? 0;
    this.flows = { there: new Flow(near, far), back: new Flow(far, near) };
    let left = 2;
    for (const [way, side, socket] of [
      ['there', 'near', near],
      ['back', 'far', far],
    ] as const) {
      let wasTorn = false;
      socket.on('error', () => (wasTorn = true));
      socket.on('end', () => this.noteLeft(side));
      socket.on('close', () => {
        this.noteLeft(side);
        this.flows[way].take(wasTorn ? 'reset' : 'close');
        left -= 1;
        if (left > 0) return;
        for (const flow of Object.values(this.flows)) flow.stop();
        for (const each of this.overTakers) each();
      });
    }
  }

  delay(ways: readonly Way[], ms: number): void {
    for (const way of ways) this.flows[way].delay(ms);
  }

  /** @returns what lets it go on */
  stall(ways: readonly Way[]): () => void {
    for (const way of ways) this.flows[way].stall();
    const hold: Hold = { fromMs: Date.now(), untilMs: Infinity };
    this.holds.push(hold);
    return () => {
      hold.untilMs = Date.now();
      for (const way of ways) this.flows[way].goOn();
    };
  }

  /** Nothing more gets through that way, and nobody is told. */
  halfOpen(ways: readonly Way[]): void {
    this.brokenMs ??= Date.now();
    for (const way of ways) this.flows[way].silence();
  }

  /** The first words of whoever dialled. */
  onHead(take: (head: string) => void): void {
    this.near.once('data', (head: Buffer) => take(head.toString('latin1')));
  }

  /** When both sides are gone. */
  onOver(take: () => void): void {
    this.overTakers.push(take);
  }

  get isHalfOpen(): boolean {
    return WAYS.some((way) => this.flows[way].isSilent);
  }

  /** Whether both sides have ended it. Of one that is half-open each must have found that by itself. */
  get isLeft(): boolean {
    return this.left.size === 2;
  }

  /** Both sides are told that it is gone, by a reset. */
  cut(): void {
    this.brokenMs ??= Date.now();
    this.isTorn ||= !this.isLeft;
    this.noteEnd('fault');
    for (const flow of Object.values(this.flows)) flow.stop();
    for (const socket of [this.near, this.far]) if (!socket.destroyed) socket.resetAndDestroy();
  }

  private noteLeft(side: 'near' | 'far'): void {
    this.noteEnd(side);
    this.left.add(side);
    // There is nobody any more who could be told.
    if (this.isLeft && WAYS.every((way) => this.flows[way].isSilent)) this.cut();
  }

  private noteEnd(by: EndedBy): void {
    if (this.endedBy !== null) return;
    this.endedBy = by;
    this.endedMs = Date.now();
  }
}

async function reached(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), CONNECT_WITHIN_MS);
    const told = (isReached: boolean) => () => {
      clearTimeout(timer);
      resolve(isReached);
    };
    socket.once('connect', told(true));
    socket.once('error', told(false));
    socket.once('close', told(false));
  });
}
