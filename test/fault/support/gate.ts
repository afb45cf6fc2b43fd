import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { StreamCutter, type Part } from './stream-cutter.js';

/** To the hub, or from it. */
export type Way = 'in' | 'out';

type Rule = { way: Way; mark: string; hit: () => void };

/**
 * A door before a hub, for one broker or one caller. Whoever comes is led to the replica that the door is aimed at;
 * a chosen frame, and all that follows it that way, can be held until the door lets it go on. What is held when
 * either end of its connection goes is lost, as it would be on a wire.
 */
export class Gate {
  private readonly passages = new Set<Passage>();
  private rule: Rule | undefined;

  private constructor(
    private readonly server: Server,
    readonly url: string,
    /** Address of the replica that connections are led to from now on. */
    public target: string,
  ) {}

  static async start(target: string): Promise<Gate> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const gate = new Gate(server, `http://127.0.0.1:${port}`, target);
    server.on('connection', (near) => gate.take(near));
    return gate;
  }

  /** Holds the next part with this text in it. @returns when it is held */
  hold(way: Way, mark: string): Promise<void> {
    return new Promise((resolve) => {
      this.rule = { way, mark, hit: resolve };
    });
  }

  /** What is held goes on to whoever is still there, and nothing more is held. */
  release(): void {
    this.rule = undefined;
    for (const passage of this.passages) passage.release();
  }

  /** Cuts off those who came; the hub does not notice, and still gets what is held of theirs. */
  part(): void {
    for (const passage of this.passages) passage.part();
  }

  /** Whether anybody has a connection to this replica here. */
  leadsTo(target: string): boolean {
    return [...this.passages].some((passage) => passage.target === target);
  }

  async stop(): Promise<void> {
    for (const passage of this.passages) passage.end();
    this.server.close();
    await once(this.server, 'close');
  }

  private take(near: Socket): void {
    const strikes = (way: Way, { text }: Part) => {
      const { rule } = this;
      if (rule?.way !== way || !text.includes(rule.mark)) return false;
      this.rule = undefined;
      rule.hit();
      return true;
    };
    const passage = new Passage(near, this.target, strikes, () => this.passages.delete(passage));
    this.passages.add(passage);
  }
}

/** One connection through the gate: its near end is the broker's or the caller's, its far end the hub's. */
class Passage {
  private readonly far: Socket;
  private held: { way: Way; parts: Part[] } | undefined;
  private isParted = false;

  constructor(
    private readonly near: Socket,
    readonly target: string,
    strikes: (way: Way, part: Part) => boolean,
    over: () => void,
  ) {
    const { hostname, port } = new URL(target);
    this.far = connect(Number(port), hostname);
    for (const [way, from] of [
      ['in', near],
      ['out', this.far],
    ] as const) {
      const cutter = new StreamCutter();
      from.setNoDelay(true);
      from.on('data', (chunk: Buffer) => {
        for (const part of cutter.take(chunk)) {
          if (this.held?.way === way) this.held.parts.push(part);
          else if (strikes(way, part)) this.held = { way, parts: [part] };
          else this.write(way, part);
        }
      });
      from.on('error', () => undefined);
    }
    near.on('close', () => {
      if (!this.isParted) this.far.destroySoon();
    });
    this.far.on('close', () => {
      this.near.destroySoon();
      over();
    });
  }

  release(): void {
    const { held } = this;
    this.held = undefined;
    for (const part of held?.parts ?? []) this.write(held?.way ?? 'in', part);
  }

  part(): void {
    this.isParted = true;
    this.near.destroy();
  }

  end(): void {
    this.near.destroy();
    this.far.destroy();
  }

  private write(way: Way, { bytes }: Part): void {
    const to = way === 'in' ? this.far : this.near;
    if (to.writable) to.write(bytes);
  }
}
