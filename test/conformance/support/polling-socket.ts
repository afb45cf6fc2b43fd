import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

type Answer = {
  first: number;
  frames: object[];
  received: number;
  closed: { code: number; reason: string } | null;
};
type Way = {
  url: string;
  headers: (connectionId: string | null) => Record<string, string>;
  fault: string | undefined;
};

const AGAIN_MS = 5;

/** What a broker that is as it should be, but for one fault, takes for a socket where no WebSocket opens. */
export class PollingSocket extends EventEmitter {
  readyState = 1;
  private connectionId: string | null = null;
  private first = 1;
  private told = 0;
  private unseen: object[] = [];
  private received = 0;
  private polls = 0;
  private readonly over = new AbortController();

  constructor(private readonly way: Way) {
    super();
    setImmediate(() => this.emit('open'));
  }

  send(text: string): void {
    this.unseen.push(JSON.parse(text) as object);
    // What is said in one turn travels together; but before the welcome there is nothing to say.
    setImmediate(() => this.pump());
  }

  ping(): void {}

  close(code = 1000): void {
    this.end(code, '');
  }

  terminate(): void {
    this.end(1006, '');
  }

  private end(code: number, reason: string): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.over.abort();
    this.emit('close', code, Buffer.from(reason));
  }

  private pump(): void {
    const hasNews = this.first + this.unseen.length - 1 > this.told;
    const most = this.connectionId === null ? 1 : 2;
    if (this.readyState === 3 || this.polls >= most || !(this.polls === 0 || hasNews)) return;
    this.polls += 1;
    void this.poll().finally(() => {
      this.polls -= 1;
      this.pump();
    });
  }

  private async poll(): Promise<void> {
    const { url, headers, fault } = this.way;
    const { connectionId, first, received } = this;
    const frames = [...this.unseen];
    this.told = Math.max(this.told, first + frames.length - 1);
    try {
      const answer = await fetch(`${url}/api/v1/control/poll`, {
        method: 'POST',
        headers: headers(connectionId),
        body: JSON.stringify({ connectionId, first, frames, received }),
        signal: this.over.signal,
      });
      if (answer.status === 200) this.take((await answer.json()) as Answer);
      else this.end(1006, String(answer.status));
    } catch {
      if (this.readyState === 3) return;
      if (fault === 'counts what was lost') {
        this.first += frames.length;
        this.unseen = this.unseen.slice(frames.length);
      }
      this.told = this.first - 1;
      await delay(AGAIN_MS);
    }
  }

  private take({ first, frames, received, closed }: Answer): void {
    this.unseen = this.unseen.slice(Math.max(0, received + 1 - this.first));
    this.first = Math.max(this.first, received + 1);
    frames.forEach((frame, index) => {
      if (first + index <= this.received) return;
      this.received = first + index;
      const { t, connectionId } = frame as { t: string; connectionId: string };
      if (t === 'welcome') this.connectionId = connectionId;
      this.emit('message', Buffer.from(JSON.stringify(frame)), false);
    });
    if (closed !== null) this.end(closed.code, closed.reason);
  }
}
