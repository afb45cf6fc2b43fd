import { StringDecoder } from 'node:string_decoder';
import { CLOSE_CODES, type CloseReason } from '../../protocol/close-code.js';
import type { HubFrame } from '../../protocol/frame.js';
import { LIMITS, TIMES } from '../../protocol/limits.js';
import { parseBrokerFrame } from '../../protocol/parse.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import { ControlChannel, type Shown } from './control-channel.js';
import type { FrameHandlers } from './frame-handlers.js';
import type { ReasonedSocket } from './reasoned-socket.js';

/** A control channel over a WebSocket: a frame a message, and pings of both sides. */
export class ControlSocket extends ControlChannel {
  readonly transport = 'websocket';
  private unansweredPings = 0;
  private wasClosing = false;

  constructor(
    private readonly socket: ReasonedSocket,
    shown: Shown,
    handlers: FrameHandlers,
  ) {
    super(shown, handlers);
    socket.on('message', (data: Buffer, isBinary: boolean) => this.receive(data, isBinary));
    socket.on('pong', () => this.heard());
    socket.on('ping', () => this.heard());
    socket.on('close', (code, reason) => this.ended(code, reason.toString('utf8')));
    // The close event follows. It tells of a link that broke, also where it was ended for what came in.
    socket.on('error', () => (this.ownEnd ??= socket.fault));
  }

  get isOpen(): boolean {
    return this.stage !== 'closed' && this.socket.readyState === this.socket.OPEN;
  }

  get unsentBytes(): number {
    return this.socket.bufferedAmount;
  }

  send(frame: HubFrame): boolean {
    if (!this.isOpen) return false;
    if (this.unsentBytes > LIMITS.bufferedBytes) {
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

  /** Called regularly: pings the peer, and ends a channel that is silent, or whose peer has not taken a close since the last time. */
  probe(): void {
    if (this.stage === 'closed') return;
    if (this.socket.readyState === this.socket.CLOSING) {
      // What waits before the close has at least the time between two probes to be read.
      if (this.wasClosing) this.cut();
      this.wasClosing = true;
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

  protected override heard(): void {
    super.heard();
    this.unansweredPings = 0;
  }

  private receive(data: Buffer, isBinary: boolean): void {
    this.take(data.length, () => {
      if (isBinary) throw new ProtocolError('frames are text');
      return parseBrokerFrame(data.toString('utf8'));
    });
  }
}

/** As much of a text as a close carries, which is 123 bytes (RFC 6455 section 5.5), and no part of a character. */
function startOf(text: string): string {
  return new StringDecoder('utf8').write(Buffer.from(text).subarray(0, 120));
}
