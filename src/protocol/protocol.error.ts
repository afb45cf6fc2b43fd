import type { CloseReason } from './close-code.js';

/** A frame that breaks the protocol. The message names the field and the rule, never the value. */
export class ProtocolError extends Error {
  constructor(
    message: string,
    readonly reason: CloseReason = 'protocol_error',
  ) {
    super(message);
    this.name = 'ProtocolError';
  }
}
