/** Why a control channel was closed, by WebSocket close code (RFC 6455 section 7.4). */
export const CLOSE_CODES = {
  goodbye: 1000,
  going_away: 1001,
  /** What came was no message of a WebSocket. */
  framing_error: 1002,
  /** A text message was not UTF-8. */
  text_error: 1007,
  frame_too_large: 1009,
  protocol_error: 4400,
  credential_expired: 4401,
  revoked: 4403,
  timed_out: 4408,
  displaced: 4409,
  version_refused: 4426,
  slow_consumer: 4429,
  registry_unavailable: 4503,
} as const;

/** What a close with `displaced` says. Brokers tell the two apart by this text, so it is part of the protocol. */
export const DISPLACED_BY = {
  /** The broker's own newer connection. */
  itself: 'a newer connection is in use',
  /** Another process with the same credential, which is to say a copy of the broker's home. */
  another: 'another instance connected with the same credential',
} as const;

export type CloseReason = keyof typeof CLOSE_CODES;

const REASONS = new Map<number, CloseReason>(
  Object.entries(CLOSE_CODES).map(([reason, code]) => [code, reason as CloseReason]),
);

/** The reason a close code stands for, or undefined for a code that is not of this protocol. */
export function closeReason(code: number): CloseReason | undefined {
  return REASONS.get(code);
}
