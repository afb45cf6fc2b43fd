import { Logger } from '@nestjs/common';
import type { CloseReason } from '../../protocol/close-code.js';
import type { BrokerFrame, HubFrame } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import type { FrameHandlers } from './frame-handlers.js';
import type { Transport } from './transport.js';

const log = new Logger('registry');

/** What a close with `frame_too_large` says. */
export const FRAME_TOO_LARGE = `a frame has at most ${LIMITS.frameBytes} bytes`;

export type ChannelEnd = { code: number; reason: string };

/** Whose credential a channel began with, and when that ends. */
export type Shown = { readonly brokerId: string; readonly expiresAt: Date };

/**
 * One authenticated control channel, over whatever carries it: frames in, frames out, and an end with a reason.
 *
 *     awaiting_hello --hello--> greeting --welcome--> linked --close--> closed
 *                              |    ^ promote
 *                              v    |
 *                              standby --goodbye, close--> closed
 *
 * Only a hello is taken first, and nothing between it and the welcome. Nothing is dropped in silence: a frame that
 * cannot be read, or a peer that does not read, ends the channel with the code that says so.
 */
export abstract class ControlChannel {
  abstract readonly transport: Transport;
  protected stage: 'awaiting_hello' | 'greeting' | 'standby' | 'linked' | 'closed' = 'awaiting_hello';
  protected readonly openedAt = performance.now();
  protected ownEnd: ChannelEnd | undefined;
  private heardAt = this.openedAt;
  private readonly closedListeners: ((end: ChannelEnd) => void)[] = [];

  constructor(
    private readonly shown: Shown,
    private readonly handlers: FrameHandlers,
  ) {}

  /** The broker whose credential was shown. */
  get brokerId(): string {
    return this.shown.brokerId;
  }

  /** Whether the credential that was shown at the beginning is still good. */
  isGoodAt(now: Date): boolean {
    return now < this.shown.expiresAt;
  }

  /** Milliseconds since the peer gave a sign of life. */
  get silenceMs(): number {
    return performance.now() - this.heardAt;
  }

  abstract get isOpen(): boolean;

  /** What waits here for its peer to take it. */
  abstract get unsentBytes(): number;

  onClosed(listener: (end: ChannelEnd) => void): void {
    this.closedListeners.push(listener);
  }

  /** The hello was answered: from here on the broker may send everything else. */
  welcomed(): void {
    if (this.stage === 'greeting') this.stage = 'linked';
  }

  /** The hello was answered: the channel is held ready, and a promote is all that it may bring. */
  heldReady(): void {
    if (this.stage === 'greeting') this.stage = 'standby';
  }

  /** @returns false where the channel is closing or the peer does not read: then nothing was written */
  abstract send(frame: HubFrame): boolean;

  abstract close(reason: CloseReason, text: string): void;

  /** Takes what the peer sent; what it may not send now, or cannot be read, ends the channel. */
  protected take(bytes: number, read: () => BrokerFrame): void {
    this.heard();
    if (this.ownEnd !== undefined && this.stage !== 'linked') return;
    try {
      if (this.stage === 'awaiting_hello' && bytes > LIMITS.helloBytes) {
        throw new ProtocolError(`a hello has at most ${LIMITS.helloBytes} bytes`);
      }
      this.pass(read());
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.close(error.reason, error.message);
    }
  }

  protected heard(): void {
    this.heardAt = performance.now();
  }

  protected ended(code: number, reason: string): void {
    if (this.stage === 'closed') return;
    const { brokerId, stage } = this;
    this.stage = 'closed';
    const end = this.ownEnd ?? { code, reason };
    // How a link ended is told by what owns it.
    if (stage !== 'linked') log.log({ brokerId, stage, ...end }, 'a channel ended that was no link');
    for (const listener of this.closedListeners) listener(end);
  }

  private pass(frame: BrokerFrame): void {
    const isHello = frame.t === 'hello';
    if (isHello !== (this.stage === 'awaiting_hello')) {
      throw new ProtocolError(isHello ? 'a second hello' : 'the first frame must be a hello');
    }
    if (this.stage === 'greeting') throw new ProtocolError('a frame before the welcome');
    if (this.stage === 'standby' && frame.t === 'goodbye') {
      this.close('goodbye', frame.reason);
      return;
    }
    if ((frame.t === 'promote') !== (this.stage === 'standby')) {
      throw new ProtocolError(frame.t === 'promote' ? 'no standby link' : 'a frame before the welcome');
    }
    const handler = this.handlers.get(frame.t);
    if (handler === undefined) throw new ProtocolError('unknown frame type');
    if (isHello || frame.t === 'promote') this.stage = 'greeting';
    handler({ channel: this, frame });
  }
}
