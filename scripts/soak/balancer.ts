import { setTimeout as rest } from 'node:timers/promises';
import { FaultyProxy, type Address } from '../support/faulty-proxy.js';

const LOOK_MS = 300;
const ANSWER_WITHIN_MS = 1_000;

/** Asks each replica now and then whether it is ready, for all balancers before it. */
export class Readiness {
  private readonly ports = new Set<number>();
  private ready: number[] = [];
  private readonly over = new AbortController();
  private looking: Promise<void> | undefined;

  start(): void {
    this.looking = this.look();
  }

  /** A replica that said itself that it is ready. */
  add(port: number): void {
    this.ports.add(port);
    this.ready.push(port);
  }

  remove(port: number): void {
    this.ports.delete(port);
    this.ready = this.ready.filter((each) => each !== port);
  }

  get readyPorts(): readonly number[] {
    return this.ready;
  }

  async stop(): Promise<void> {
    this.over.abort();
    await this.looking;
  }

  private async look(): Promise<void> {
    const { signal } = this.over;
    while (!signal.aborted) {
      const ports = [...this.ports];
      const found = await Promise.all(ports.map(isReady));
      // One that came meanwhile has just said so itself.
      const isStill = (port: number) => !ports.includes(port) || found[ports.indexOf(port)] === true;
      this.ready = [...this.ports].filter(isStill);
      await rest(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

/**
 * A plain TCP balancer, of the kind that knows nothing of what it carries: each connection goes to the next replica that
 * says that it is ready, and stays there.
 */
export class TcpBalancer {
  private turn = 0;

  private constructor(
    readonly proxy: FaultyProxy,
    private readonly readiness: Readiness,
  ) {}

  static async start(readiness: Readiness): Promise<TcpBalancer> {
    const balancer: TcpBalancer = new TcpBalancer(await FaultyProxy.start(() => balancer.route()), readiness);
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${this.proxy.port}`;
  }

  async stop(): Promise<void> {
    await this.proxy.stop();
  }

  private route(): Address[] {
    this.turn += 1;
    const { readyPorts: ports } = this.readiness;
    return ports.map((_port, place) => ({
      host: '127.0.0.1',
      port: ports[(place + this.turn) % ports.length] ?? 0,
    }));
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const { ok, body } = await fetch(`http://127.0.0.1:${port}/readyz`, { signal });
    await body?.cancel();
    return ok;
  } catch {
    return false;
  }
}
