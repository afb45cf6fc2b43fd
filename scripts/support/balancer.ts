import { FaultyProxy, type Address, type FaultyLink } from './faulty-proxy.js';
import { Readiness } from './readiness.js';

const CONTROL = /^GET \/api\/v1\/control[ ?]/;
const STANDBY = /^sec-websocket-protocol:.*fairlead\.v1\.standby/im;
/** A standby that has come to the owner of its broker is ended at once, and looks for another replica. */
const ASTRAY_MS = 3_000;

/**
 * The one address of a hub, as a Service of Kubernetes has it: it knows which replicas are ready, by asking, and gives each
 * connection to one of them in turn. A connection stays where it is when its replica is not ready any more. It carries
 * whatever comes, and looks at the first words only to count channels.
 */
export class Balancer {
  /** Ways of brokers, as against callers', that have ended; not those of standbys that had gone astray. */
  channelsEnded = 0;
  private readonly channels = new Set<FaultyLink>();
  private turn = 0;

  private constructor(
    readonly proxy: FaultyProxy,
    private readonly readiness: Readiness,
  ) {
    proxy.onLink((link) => link.onHead((head) => this.notice(link, head)));
  }

  /**
   * @param port 0 for any that is free
   * @param readiness of the replicas, where other balancers stand before the same ones
   * @throws Error with the system's code where the port is taken
   */
  static async start(port = 0, readiness?: Readiness): Promise<Balancer> {
    const proxy = await FaultyProxy.start(() => balancer.route(), port);
    const balancer = new Balancer(proxy, readiness ?? new Readiness());
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${this.proxy.port}`;
  }

  /** A replica that has said that it is ready. */
  add(url: string): void {
    this.readiness.add(url);
  }

  /** One that is known to be dead. */
  remove(url: string): void {
    this.readiness.remove(url);
  }

  /** The control channels of brokers, as against all else that comes this way. */
  get channelLinks(): readonly FaultyLink[] {
    return [...this.channels];
  }

  /** Cuts the way of every broker. @returns how many there were */
  cutChannels(): number {
    const cut = [...this.channels];
    for (const link of cut) link.cut();
    return cut.length;
  }

  async stop(): Promise<void> {
    await Promise.all([this.readiness.stop(), this.proxy.stop()]);
  }

  /** All that are ready, the one first whose turn it is. */
  private route(): Address[] {
    this.turn += 1;
    const { readyUrls: urls } = this.readiness;
    return urls.map((_url, place) => {
      const { hostname: host, port } = new URL(urls[(place + this.turn) % urls.length] ?? '');
      return { host, port: Number(port) };
    });
  }

  private notice(link: FaultyLink, head: string): void {
    if (!CONTROL.test(head)) return;
    const openedAt = performance.now();
    this.channels.add(link);
    link.onOver(() => {
      this.channels.delete(link);
      const isAstray = STANDBY.test(head) && performance.now() - openedAt < ASTRAY_MS;
      if (!isAstray) this.channelsEnded += 1;
    });
  }
}
