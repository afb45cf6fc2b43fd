import { CLOSE_CODES, type CloseReason } from '../../protocol/close-code.js';
import type { HubFrame } from '../../protocol/frame.js';
import { LIMITS, TIMES } from '../../protocol/limits.js';
import { readBrokerFrame } from '../../protocol/parse.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import { ControlChannel, FRAME_TOO_LARGE, type ChannelEnd } from './control-channel.js';
import { CredentialInvalid } from '../auth/auth.errors.js';
import { PollOutOfStep } from './registry.errors.js';
import { UsedIds } from './used-ids.js';

/** What a broker sends with a poll. */
export type Poll = {
  /** Number of the first of the frames; those that were taken before are not taken again. */
  readonly first: number;
  readonly frames: readonly unknown[];
  /** Number of the last frame of the hub that has arrived; 0 for none. */
  readonly received: number;
};

/** A further poll, with the id of the proof that came with it. */
export type ProvenPoll = Poll & { readonly jti: string };

export type PollAnswer = {
  /** Number of the first of the frames; those that had arrived before are not to be taken again. */
  first: number;
  frames: HubFrame[];
  /** Number of the last frame of the broker that was taken. */
  received: number;
  /** How the channel ended; nothing comes after that. */
  closed: ChannelEnd | null;
};

type Queued = { frame: HubFrame; bytes: number };

/** No clock that is not refused takes a proof for longer, from its future on. */
const PROOF_LIVES_MS = 75_000;
/** What stands around the frames of an answer. */
const ENVELOPE_BYTES = 64 * 1024;

/**
 * A control channel over polls. The frames of each side are numbered from 1. A poll brings what the broker has not seen
 * taken, and says what has arrived; its answer brings what has not arrived. So whatever is lost on the way is sent again,
 * and nothing is taken twice.
 *
 * A poll that finds nothing is held until there is something, or 25 s are over, or the next one comes: one waits at a
 * time. Where none comes for 60 s the channel is at its end, however long the last one was held: that it waits is no sign that its
 * broker is still there. How a channel ended is kept for as long again, for a broker that asks once more.
 */
export class PollChannel extends ControlChannel {
  readonly transport = 'poll';
  private readonly queue: Queued[] = [];
  private queuedBytes = 0;
  /** Number of the first in the queue. */
  private first = 1;
  private taken = 0;
  private endHold: (() => void) | undefined;
  private flush: NodeJS.Immediate | undefined;
  private id: string | undefined;
  private polledAt = performance.now();
  private endedAt: number | undefined;

  private readonly proofs = new UsedIds(PROOF_LIVES_MS);

  /** The connection's, once it was welcomed. */
  get connectionId(): string | undefined {
    return this.id;
  }

  get isOpen(): boolean {
    return this.stage !== 'closed';
  }

  get unsentBytes(): number {
    return this.queuedBytes;
  }

  /** Whether it has ended, and nobody has asked for so long that nobody will. */
  get isForgotten(): boolean {
    if (this.endedAt === undefined) return false;
    return performance.now() - Math.max(this.endedAt, this.polledAt) > TIMES.pollLeaseMs;
  }

  /**
   * Takes what the broker sent, and gives what there is for it, now or later.
   *
   * @param signal ends the wait where the broker has gone away
   * @throws PollOutOfStep where a number cannot be: then nothing was taken
   */
  async poll({ first, frames, received }: Poll, signal: AbortSignal): Promise<PollAnswer> {
    if (first > this.taken + 1) throw new PollOutOfStep('first', `must be at most ${this.taken + 1}`);
    const sent = this.first + this.queue.length - 1;
    if (received > sent) throw new PollOutOfStep('received', `must be at most ${sent}`);
    this.polledAt = performance.now();
    this.heard();
    this.forget(received);
    // Of two polls the later one waits, and the other goes back empty-handed.
    this.endHold?.();
    frames.forEach((frame, index) => this.takeNumbered(first + index, frame));
    if (this.queue.length === 0 && this.isOpen) await this.hold(signal);
    return this.answer(received);
  }

  /**
   * As `poll`, for a poll that was proven by itself. All polls of a connection come to the one replica that holds it, so that
   * what is used here is used in the whole hub.
   *
   * @throws CredentialInvalid where the proof was used before
   */
  async proven({ jti, ...poll }: ProvenPoll, signal: AbortSignal): Promise<PollAnswer> {
    if (!this.proofs.use(jti)) throw new CredentialInvalid();
    return this.poll(poll, signal);
  }

  send(frame: HubFrame): boolean {
    if (!this.isOpen) return false;
    if (frame.t === 'welcome') this.id = frame.connectionId;
    const bytes = Buffer.byteLength(JSON.stringify(frame));
    if (this.queuedBytes + bytes > LIMITS.bufferedBytes) {
      this.close('slow_consumer', 'the broker does not poll');
      return false;
    }
    this.queue.push({ frame, bytes });
    this.queuedBytes += bytes;
    // What is sent in one turn travels together.
    this.flush ??= setImmediate(() => {
      this.flush = undefined;
      if (this.queue.length > 0) this.endHold?.();
    });
    return true;
  }

  close(reason: CloseReason, text: string): void {
    if (!this.isOpen) return;
    this.ownEnd = { code: CLOSE_CODES[reason], reason: text.slice(0, 120) };
    this.endedAt = performance.now();
    this.ended(this.ownEnd.code, this.ownEnd.reason);
    this.endHold?.();
  }

  /** Called regularly: ends a channel that is not polled, and one that was not welcomed. */
  expire(): void {
    if (performance.now() - this.polledAt > TIMES.pollLeaseMs)
      this.close('timed_out', 'no poll came within the lease');
  }

  private takeNumbered(number: number, frame: unknown): void {
    if (number <= this.taken) return;
    this.taken = number;
    const bytes = bytesOf(frame);
    this.take(bytes ?? Infinity, () => {
      if (bytes !== undefined && bytes > LIMITS.frameBytes)
        throw new ProtocolError(FRAME_TOO_LARGE, 'frame_too_large');
      return readBrokerFrame(frame);
    });
  }

  private forget(received: number): void {
    while (this.first <= received) {
      this.queuedBytes -= this.queue.shift()?.bytes ?? 0;
      this.first += 1;
    }
  }

  private async hold(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        if (this.endHold === end) this.endHold = undefined;
        resolve();
      };
      const timer = setTimeout(end, TIMES.pollHoldMs);
      signal.addEventListener('abort', end);
      this.endHold = end;
      if (signal.aborted) end();
    });
  }

  /** What comes after the frame that the broker had received when it asked. */
  private answer(received: number): PollAnswer {
    const first = Math.max(this.first, received + 1);
    const frames: HubFrame[] = [];
    let bytes = ENVELOPE_BYTES;
    for (const queued of this.queue.slice(first - this.first)) {
      bytes += queued.bytes;
      if (frames.length > 0 && (bytes > LIMITS.pollBytes || frames.length === LIMITS.batch)) break;
      frames.push(queued.frame);
    }
    const isAll = first + frames.length === this.first + this.queue.length;
    return { first, frames, received: this.taken, closed: isAll ? (this.ownEnd ?? null) : null };
  }
}

/** Undefined where it is nested so deep that it cannot be written: what it has of that is judged by whoever takes it. */
function bytesOf(frame: unknown): number | undefined {
  try {
    return Buffer.byteLength(JSON.stringify(frame));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
