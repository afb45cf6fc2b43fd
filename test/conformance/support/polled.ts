import { EventEmitter } from 'node:events';

export type Poll = { connectionId: string | null; first: number; frames: object[]; received: number };

/** What a hub that is as it should be, but for one fault, takes for a socket, over polls: what is said waits for one. */
export class Polled extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  connectionId: string | undefined;
  private queue: object[] = [];
  private first = 1;
  private taken = 0;
  private closed: { code: number; reason: string } | null = null;
  private release: (() => void) | undefined;

  constructor(private readonly fault: string | undefined) {
    super();
  }

  send(text: string): void {
    const frame = JSON.parse(text) as { t: string; connectionId?: string };
    if (frame.t === 'welcome') this.connectionId = frame.connectionId;
    this.queue.push(frame);
    this.release?.();
  }

  close(code: number, reason = ''): void {
    if (this.closed !== null) return;
    this.closed = { code, reason };
    this.readyState = 3;
    this.emit('close');
    this.release?.();
  }

  ping(): void {}

  async poll({ first, frames, received }: Poll): Promise<object> {
    const { fault } = this;
    this.queue = this.queue.slice(Math.max(0, received + 1 - this.first));
    this.first = Math.max(this.first, received + 1);
    if (fault === 'leaves the held poll') this.release = undefined;
    this.release?.();
    frames.forEach((frame, index) => {
      if (first + index <= this.taken && fault !== 'takes numbers twice') return;
      this.taken = Math.max(this.taken, first + index);
      this.emit('message', Buffer.from(JSON.stringify(frame)), false);
    });
    // The first one is answered by the welcome, or by none at all.
    const isHeld = fault !== 'holds no poll' || this.connectionId === undefined;
    if (isHeld && this.queue.length === 0 && this.closed === null)
      await new Promise<void>((resolve) => (this.release = resolve));
    const taken = fault === 'counts no hello' ? this.taken - 1 : this.taken;
    const answer = { first: this.first, frames: this.queue, received: taken, closed: this.closed };
    if (fault === 'sends nothing again') {
      this.first += this.queue.length;
      this.queue = [];
    }
    return answer;
  }
}
