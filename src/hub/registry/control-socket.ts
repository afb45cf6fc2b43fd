import { StringDecoder } from 'node:string_decoder';
import type { WebSocket } from 'ws';
import { CLOSE_CODES, type CloseReason } from '../../protocol/close-code.js';
import type { BrokerFrame, HubFrame } from '../../protocol/frame.js';
import { LIMITS, TIMES } from '../../protocol/limits.js';
import { parseBrokerFrame } from '../../protocol/parse.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import type { FrameHandlers } from './frame-handlers.js';

/**
 * One upgraded control channel: frames in, frames out, and an end with a reason.
 *
 *     awaiting_hello --hello--> greeting --welcome--> linked --close--> closed
 *
 * Only a hello is taken first, and nothing between it and the welcome. Nothing is dropped in silence: a frame that
 * cannot be read, or a peer that does not read, ends the channel with the code that says so.
 */
export class ControlSocket {
  private stage: 'awaiting_hello' | 'greeting' | 'linked' | 'closed' = 'awaiting_hello';
  private readonly openedAt = performance.now();
  private heardAt = this.openedAt;
  private unansweredPings = 0;
  private readonly closedListeners: ((end: { code: number; reason: string }) => void)[] = [];
  private ownEnd: { code: number; reason: string } | undefined;

  constructor(
    private readonly socket: WebSocket,
    /** Whose credential the upgrade showed, and when that ends. */
    private readonly shown: { readonly brokerId: string; readonly expiresAt: Date },
    private readonly handlers: FrameHandlers,
  ) {
    socket.on('message', (data: Buffer, isBinary: boolean) => this.take(data, isBinary));
    socket.on('pong', () => this.heard());
    socket.on('ping', () => this.heard());
    socket.on('close', (code, reason) => this.ended(code, reason.toString('utf8')));
    // The close event follows and carries what can be known; ws reports an oversized frame here first.
    socket.on('error', () => undefined);
  }

  /** The broker that the credential of the upgrade belongs to. */
  get brokerId(): string {
    return this.shown.brokerId;
  }

  /** Whether the credential of the upgrade is still good. */
  isGoodAt(now: Date): boolean {
    return now < this.shown.expiresAt;
  }

  /** Milliseconds since the peer gave a sign of life. */
  get silenceMs(): number {
    return performance.now() - this.heardAt;
  }

  get isOpen(): boolean {
    return this.stage !== 'closed' && this.socket.readyState === this.socket.OPEN;
  }

  onClosed(listener: (end: { code: number; reason: string }) => void): void {
    this.closedListeners.push(listener);
  }

  /** The hello was answered: from here on the broker may send everything else. */
  welcomed(): void {
    if (this.stage === 'greeting') this.stage = 'linked';
  }

  /** @returns false where the channel is closing or the peer does not read: then nothing was written */
  send(frame: HubFrame): boolean {
    if (!this.isOpen) return false;
    if (this.socket.bufferedAmount > LIMITS.bufferedBytes) {
      this.close('slow_consumer', 'the broker does not read');
      return false;
    }
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  close(reason: CloseReason, text: string): void {
    if (this.stage === 'closed') return;
    this.ownEnd ??= { code: CLOSE_CODES[reason], reason: text };
    this.socket.close(CLOSE_CODES[reason], startOf(text));
  }

  /** Cuts the connection without a word. */
  cut(): void {
    this.socket.terminate();
  }

  /** Called regularly: pings the peer, and ends a channel that is silent or never said hello. */
  probe(): void {
    if (this.stage === 'closed') return;
    if (this.socket.readyState === this.socket.CLOSING) {
      this.cut();
    } else if (this.unansweredPings >= TIMES.unansweredPings) {
      this.close('timed_out', 'pings were not answered');
      this.cut();
    } else {
      this.unansweredPings += 1;
      this.socket.ping();
    }
  }

  /** Ends a channel that has not said hello in time. */
  expireGreeting(): void {
    if (this.stage === 'awaiting_hello' && performance.now() - this.openedAt > TIMES.helloWithinMs) {
      this.close('timed_out', 'no hello came');
    }
  }

  private take(data: Buffer, isBinary: boolean): void {
    this.heard();
    if (this.ownEnd !== undefined && this.stage !== 'linked') return;
    try {
      if (isBinary) throw new ProtocolError('frames are text');
      if (this.stage === 'awaiting_hello' && data.length > LIMITS.helloBytes) {
        throw new ProtocolError(`a hello has at most ${LIMITS.helloBytes} bytes`);
      }
      this.pass(parseBrokerFrame(data.toString('utf8')));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.close(error.reason, error.message);
    }
  }

  private pass(frame: BrokerFrame): void {
    const isHello = frame.t === 'hello';
    if (isHello !== (this.stage === 'awaiting_hello')) {
      throw new ProtocolError(isHello ? 'a second hello' : 'the first frame must be a hello');
    }
    if (this.stage === 'greeting') throw new ProtocolError('a frame before the welcome');
    const handler = this.handlers.get(frame.t);
    if (handler === undefined) throw new ProtocolError('unknown frame type');
    if (isHello) this.stage = 'greeting';
    handler({ socket: this, frame });
  }

  private heard(): void {
    this.heardAt = performance.now();
    this.unansweredPings = 0;
  }

  private ended(code: number, reason: string): void {
    if (this.stage === 'closed') return;
    this.stage = 'closed';
    const end = this.ownEnd ?? { code, reason };
    for (const listener of this.closedListeners) listener(end);
  }
}

/** As much of a text as a close carries, which is 123 bytes (RFC 6455 section 5.5), and no part of a character. */
function startOf(text: string): string {
  return new StringDecoder('utf8').write(Buffer.from(text).subarray(0, 120));
}
