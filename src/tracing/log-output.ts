/**
 * Where a program writes its log: to its standard output or error, in order, while it goes on, and to the last line as it
 * exits.
 *
 * Nobody ends for what cannot be written: where the disk is full, the terminal or the reader is gone, or the reader is too slow for
 * too long, lines are lost and counted, and that is told once lines can be written again.
 */
import { write, writeSync } from 'node:fs';

/** How many lines were lost, and by what the last of them. */
type TellLost = (told: { lines: number; code: string | undefined }) => void;

/** Until it is tried again where the log's reader is slow; and how long an exit waits for that reader. */
const AGAIN_AFTER_MS = 100;
const EXIT_WITHIN_MS = 5_000;
/** Characters that wait for the log's reader: a program is not to fill its memory with what nobody reads. */
const WAITING_MOST = 16 * 1024 * 1024;

/** What is told with it. */
export const LINES_LOST = 'lines of the log could not be written; nothing is held up by that';

const NOTHING = Buffer.alloc(0);
const LINE_END = 0x0a;

export class LogOutput {
  private waiting = '';
  /** Taken from what waits, and not written yet. */
  private rest: Buffer = NOTHING;
  private isBusy = false;
  /** Whether the system has the rest just now. */
  private isWriting = false;
  private isAtLineEnd = true;
  private lostLines = 0;
  private lostBy: string | undefined;
  private readonly onExit = () => this.flushSync();

  constructor(
    private readonly fd: number,
    private readonly tellLost: TellLost,
    private readonly waitingMost = WAITING_MOST,
  ) {}

  write(line: string): void {
    if (this.waiting.length + line.length > this.waitingMost) {
      this.lostLines += 1;
      this.lostBy = 'ENOBUFS';
      return;
    }
    this.waiting += line;
    if (this.isBusy) return;
    this.isBusy = true;
    process.on('exit', this.onExit);
    this.writeNext();
  }

  /** Writes all that waits before it returns, but what the system has: it writes that also while the process exits. */
  flushSync(): void {
    const held = this.isWriting ? NOTHING : this.rest;
    if (!this.isWriting) this.rest = NOTHING;
    let rest: Buffer = Buffer.concat([held, this.takeWaiting()]);
    const giveUpAt = performance.now() + EXIT_WITHIN_MS;
    while (rest.length > 0) {
      try {
        rest = this.restAfter(rest, writeSync(this.fd, rest));
      } catch (error) {
        if (!isSlow(error) || performance.now() > giveUpAt) return this.lose(rest, error);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_AFTER_MS);
      }
    }
  }

  private writeNext(): void {
    if (this.rest.length === 0) this.rest = this.takeWaiting();
    if (this.rest.length === 0) {
      this.isBusy = false;
      process.off('exit', this.onExit);
      return;
    }
    this.isWriting = true;
    write(this.fd, this.rest, (error, bytes) => {
      this.isWriting = false;
      if (isSlow(error)) return void setTimeout(() => this.writeNext(), AGAIN_AFTER_MS);
      if (error === null) {
        this.rest = this.restAfter(this.rest, bytes);
        if (this.rest.length === 0) this.tellOfLoss();
      } else {
        this.lose(this.rest, error);
        this.rest = NOTHING;
      }
      this.writeNext();
    });
  }

  /** A line that was written in half has the next one after it on a line of its own. */
  private takeWaiting(): Buffer {
    const taken = this.waiting;
    this.waiting = '';
    return taken === '' ? NOTHING : Buffer.from(this.isAtLineEnd ? taken : `\n${taken}`);
  }

  private restAfter(part: Buffer, written: number): Buffer {
    if (written > 0) this.isAtLineEnd = part[written - 1] === LINE_END;
    return part.subarray(written);
  }

  private lose(part: Buffer, error: unknown): void {
    // An end of line at the beginning is that of a line which was written but for it, or counted before.
    for (let at = part.indexOf(LINE_END, 1); at >= 0; at = part.indexOf(LINE_END, at + 1))
      this.lostLines += 1;
    this.lostBy = (error as NodeJS.ErrnoException).code;
  }

  private tellOfLoss(): void {
    if (this.lostLines === 0) return;
    const told = { lines: this.lostLines, code: this.lostBy };
    this.lostLines = 0;
    this.tellLost(told);
  }
}

/** Whether who reads the log has not made room yet. */
function isSlow(error: unknown): boolean {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  return code === 'EAGAIN' || code === 'EBUSY';
}
