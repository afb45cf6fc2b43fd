import { EventEmitter } from 'node:events';

/** What a broker sends with a poll. */
export type Poll = { connectionId: string | null; first: number; frames: object[]; received: number };

/**
 * The hub's end of a channel over polls, in the shape of a socket: rules see frames, whatever carries them. What is said waits
 * for a poll; one that finds nothing waits for something to be said, or for the next one.
 */
export class PolledSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  /** Of the welcome, once it was said. */
  connectionId: string | undefined;
  private queue: object[] = [];
  /** Number of the first in the queue. */
  private first = 1;
  /** What was taken of the broker, by its numbers. */
  private readonly taken: string[] = [];
  private closed: { code: number; reason: string } | null = null;
  private endHold: (() => void) | undefined;

  constructor(private readonly onFault: (fault: string) => void) {
    super();
  }

  send(text: string): void {
    const frame = JSON.parse(text) as { t: string; connectionId?: string };
    if (frame.t === 'welcome') this.connectionId = frame.connectionId;
    this.queue.push(frame);
    this.endHold?.();
  }

  close(code: number, reason = ''): void {
    if (this.closed !== null) return;
    this.closed = { code, reason };
    this.readyState = 3;
    this.emit('close', code, Buffer.from(reason));
    this.endHold?.();
  }

  /** As a replica that dies: nobody knows the connection any more. */
  terminate(): void {
    this.connectionId = undefined;
    this.close(1006);
  }

  /** There are no pings over polls. */
  ping(): void {}

  /** @returns undefined for numbers that cannot be: then nothing was taken */
  async poll({ first, frames, received }: Poll): Promise<object | undefined> {
    const [nextOfBroker, nextOfHub] = [this.taken.length + 1, this.first + this.queue.length];
    if (first > nextOfBroker || received >= nextOfHub) {
      this.onFault(`a poll from number ${first} on, of ${received} received, where ${nextOfBroker} is next`);
      return undefined;
    }
    this.queue = this.queue.slice(Math.max(0, received + 1 - this.first));
    this.first = Math.max(this.first, received + 1);
    this.endHold?.();
    frames.forEach((frame, index) => this.take(first + index, JSON.stringify(frame)));
    if (this.queue.length === 0 && this.closed === null)
      await new Promise<void>((resolve) => (this.endHold = resolve));
    return { first: this.first, frames: this.queue, received: this.taken.length, closed: this.closed };
  }

  private take(number: number, text: string): void {
    const before = this.taken[number - 1];
    if (before === text) return;
    if (before !== undefined) return this.onFault(`number ${number} again, as another frame: ${text}`);
    this.taken.push(text);
    this.emit('message', Buffer.from(text), false);
  }
}
