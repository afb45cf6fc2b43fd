import type { Socket } from 'node:net';

/** Held in a flow that stands still before its source is made to wait as well, as full buffers of a network would. */
const HELD_MOST = 1024 * 1024;

/** How a side ended: it said its last word, it is gone, or it was torn away. */
type Ending = 'end' | 'close' | 'reset';

/** One direction of a link: what comes in at one socket goes out at the other, later, or not for now, or never. */
export class Flow {
  private readonly queue: { dueAt: number; part: Buffer | Ending }[] = [];
  private held = 0;
  private timer: NodeJS.Timeout | undefined;
  private delayMs = 0;
  private isStalled = false;
  private silent = false;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
  ) {
    from.on('data', (part: Buffer) => this.take(part));
    from.on('end', () => this.take('end'));
    to.on('drain', () => this.pump());
  }

  /** Whether nothing gets through any more, not even the news of an end. */
  get isSilent(): boolean {
    return this.silent;
  }

  /** What comes from now on arrives so much later, in its order. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  /** Nothing arrives until it goes on, as while a network loses whatever is sent again. Nothing is lost in the end. */
  stall(): void {
    this.isStalled = true;
  }

  goOn(): void {
    this.isStalled = false;
    this.pump();
  }

  /** Nothing arrives ever again, and neither side is told: what a machine leaves behind that lost its network. */
  silence(): void {
    this.silent = true;
    this.stop();
    this.from.resume();
  }

  take(part: Buffer | Ending): void {
    if (this.silent) return;
    this.queue.push({ dueAt: performance.now() + this.delayMs, part });
    if (typeof part !== 'string') this.held += part.length;
    if (this.held > HELD_MOST) this.from.pause();
    this.pump();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.queue.length = 0;
    this.held = 0;
  }

  private pump(): void {
    clearTimeout(this.timer);
    if (this.isStalled || this.silent) return;
    for (;;) {
      const [head] = this.queue;
      if (head === undefined) break;
      const early = head.dueAt - performance.now();
      if (early > 0) {
        this.timer = setTimeout(() => this.pump(), early);
        return;
      }
      if (this.to.writableNeedDrain && !this.to.destroyed) return;
      this.queue.shift();
      this.give(head.part);
    }
    if (!this.from.destroyed) this.from.resume();
  }

  private give(part: Buffer | Ending): void {
    if (typeof part !== 'string') {
      this.held -= part.length;
      if (!this.to.destroyed) this.to.write(part);
    } else if (part === 'end') this.to.end();
    else if (part === 'close') this.to.destroySoon();
    else this.to.resetAndDestroy();
  }
}
