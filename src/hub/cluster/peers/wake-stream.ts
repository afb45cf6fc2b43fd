import type { ClientHttp2Stream } from 'node:http2';
import { HintWriter, TakenReader } from './wake-frames.js';

/** Hints on their way over one link, until the other replica has said that it took them. */
export class WakeStream {
  private readonly underWay: { text: string; sentAt: number }[] = [];
  private readonly hints: HintWriter;
  private readonly taken: TakenReader;
  private onOver: (texts: string[]) => void = () => undefined;
  private isOver = false;

  /**
   * @param stream of the link, open both ways
   * @param key of the link
   * @param onUse called with every hint
   */
  constructor(
    private readonly stream: ClientHttp2Stream,
    key: Buffer,
    private readonly onUse: () => void,
  ) {
    this.hints = new HintWriter(key);
    this.taken = new TakenReader(key);
    stream.on('response', (headers) => {
      if (headers[':status'] !== 200) this.end();
    });
    stream.on('data', (chunk: Buffer) => this.heard(chunk));
    stream.on('error', () => this.end());
    stream.on('close', () => this.end());
  }

  /** Called once, with what nobody is known to have taken. */
  whenOver(listener: (texts: string[]) => void): void {
    this.onOver = listener;
  }

  send(texts: readonly string[]): void {
    const sentAt = performance.now();
    this.onUse();
    const frames = texts.map((text) => {
      this.underWay.push({ text, sentAt });
      return this.hints.frame(text);
    });
    this.stream.write(frames.length === 1 ? frames[0] : Buffer.concat(frames));
  }

  /** Milliseconds for which the longest of them is under way; 0 for none. */
  waitingMs(now: number): number {
    const [first] = this.underWay;
    return first === undefined ? 0 : now - first.sentAt;
  }

  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.hints.end();
    this.stream.close();
    this.onOver(this.underWay.splice(0).map(({ text }) => text));
  }

  private heard(chunk: Buffer): void {
    try {
      const count = this.taken.read(chunk);
      if (count === undefined) return;
      const left = this.hints.count - count;
      if (left < 0 || left > this.underWay.length) throw new Error('more were taken than were sent');
      this.underWay.splice(0, this.underWay.length - left);
    } catch {
      this.end();
    }
  }
}
