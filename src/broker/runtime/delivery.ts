import type { Writable } from 'node:stream';
import type { Inbox, Settled } from './inbox.js';
import { until } from './until.js';

/**
 * How long no command may be there, or read what came before, until the messages that wait have failed, all of them
 * together; and how long one may take to be written itself.
 */
const WITHIN_MS = 10_000;
/** Messages tell of themselves; this is for where the system tells of nothing. */
const LOOK_MS = 5_000;

/** The standard input of a command as it runs now. */
type Pipe = {
  stdin: Writable;
  /** Since when it has been full; undefined while it takes all that is written. */
  fullSinceMs: number | undefined;
};

/** The shim's side of messages: writes each, one after another, to whatever command the run has at the time. */
export class Delivery {
  private pipe: Pipe | undefined;
  private absentSinceMs = performance.now();
  private readonly over = new AbortController();
  private changed: () => void = () => undefined;
  private delivering: Promise<void> | undefined;

  constructor(
    private readonly inbox: Inbox,
    private readonly withinMs = WITHIN_MS,
  ) {}

  /** A folder that cannot be made costs messages, never the run. */
  async start(): Promise<void> {
    await this.inbox.make().catch(() => undefined);
    this.delivering = this.deliverAll();
  }

  /** A command has started. */
  attach(stdin: Writable): void {
    this.pipe = { stdin, fullSinceMs: undefined };
    this.changed();
  }

  /** It has ended. */
  detach(): void {
    this.pipe = undefined;
    this.absentSinceMs = performance.now();
    this.changed();
  }

  /** What has begun is settled; what has not is the broker's to tell. */
  async stop(): Promise<void> {
    this.over.abort();
    this.changed();
    await this.delivering;
  }

  private async deliverAll(): Promise<void> {
    const deliverWaiting = async (): Promise<undefined> => {
      // What the disk refuses now is looked at again; the command is not to lose its shim for that.
      for (const id of await this.inbox.waiting().catch(() => []))
        if (!this.over.signal.aborted) await this.deliver(id).catch(() => undefined);
    };
    await until(this.inbox.path, deliverWaiting, { signal: this.over.signal, everyMs: LOOK_MS });
  }

  private async deliver(id: string): Promise<void> {
    const pipe = await this.freePipe();
    if (typeof pipe === 'string') {
      await this.inbox.move(id, 'new', pipe);
    } else if (pipe !== undefined) {
      if (!(await this.inbox.move(id, 'new', 'begun'))) return;
      await this.deliverBegun(id);
    }
  }

  /** What has begun is settled whatever the disk says: it would keep its place in the order for ever. */
  private async deliverBegun(id: string): Promise<void> {
    try {
      const line = await this.inbox.read(id, 'begun');
      // The command that was there may have ended meanwhile.
      const pipe = (await this.freePipe()) ?? 'absent';
      await this.inbox.move(id, 'begun', typeof pipe === 'string' ? pipe : await this.write(pipe, line));
    } catch (error) {
      await this.inbox.move(id, 'begun', 'partly');
      throw error;
    }
  }

  /** @returns a pipe that takes more; or why there is none, undefined where the run is over */
  private async freePipe(): Promise<Pipe | 'absent' | 'full' | 'closed' | undefined> {
    for (;;) {
      if (this.over.signal.aborted) return undefined;
      const { pipe } = this;
      if (pipe?.stdin.writable === false) return 'closed';
      if (pipe !== undefined && pipe.fullSinceMs === undefined) return pipe;
      const leftMs = (pipe?.fullSinceMs ?? this.absentSinceMs) + this.withinMs - performance.now();
      if (leftMs <= 0) return pipe === undefined ? 'absent' : 'full';
      await this.change(leftMs);
    }
  }

  private async write(pipe: Pipe, line: Buffer): Promise<Settled> {
    let outcome: Settled | undefined;
    pipe.fullSinceMs = performance.now();
    pipe.stdin.write(line, (error) => {
      pipe.fullSinceMs = undefined;
      outcome = error ? 'closed' : 'written';
      this.changed();
    });
    const giveUpMs = pipe.fullSinceMs + this.withinMs;
    while (outcome === undefined && performance.now() < giveUpMs)
      await this.change(giveUpMs - performance.now());
    return outcome ?? 'partly';
  }

  private async change(withinMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.changed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
