import { WebSocket } from 'ws';
import { CLOSE_CODES } from '../../protocol/close-code.js';
import { FRAME_TOO_LARGE, type ChannelEnd } from './control-channel.js';

/** By the code with which ws ends a link of which it cannot read what came (RFC 6455 section 7.4.1). */
const FAULTS: ReadonlyMap<number, ChannelEnd> = new Map([
  [1002, { code: CLOSE_CODES.framing_error, reason: 'what came is no message of a WebSocket' }],
  [1007, { code: CLOSE_CODES.text_error, reason: 'a text message must be UTF-8' }],
  // Of a message in more pieces than it keeps.
  [1008, { code: CLOSE_CODES.frame_too_large, reason: 'a frame comes in too many pieces' }],
  [1009, { code: CLOSE_CODES.frame_too_large, reason: FRAME_TOO_LARGE }],
]);

/**
 * A WebSocket that says why it ends, also where what came was no message that a channel could judge. ws closes such a link by
 * itself, without a word, and tells its owner afterwards that it broke.
 */
export class ReasonedSocket extends WebSocket {
  /** How it ended for what came in, where it did. */
  fault: ChannelEnd | undefined;

  override close(code?: number, data?: string | Buffer): void {
    const fault = code === undefined || data !== undefined ? undefined : FAULTS.get(code);
    if (fault === undefined) {
      super.close(code, data);
      return;
    }
    this.fault ??= fault;
    super.close(fault.code, fault.reason);
  }
}
