import { TIMES } from '../protocol/limits.js';

/** How long is waited for what; all in milliseconds. */
export type Pace = {
  /** What is to come has this long. */
  withinMs: number;
  /** A link has this long: a broker's waits between attempts grow. */
  linkWithinMs: number;
  /** What must not come is waited for this long. */
  quietMs: number;
  /** A hello has this long after the upgrade. */
  helloWithinMs: number;
  /** What a welcome says of heartbeats and of silence, where a rule is about them. */
  heartbeatMs: number;
  livenessMs: number;
  /** The slot of a `going_away`. */
  slotMs: number;
  /** What a refusal says in Retry-After. */
  retryAfterMs: number;
  /** The first bound of the backoff. */
  reconnectBaseMs: number;
  /** Between WebSocket pings of either side. */
  pingMs: number;
  /** From the last sign of life to the word that a broker is silent, and from there to the word that nobody knows what it does. */
  degradedWithinMs: number;
  unreachableWithinMs: number;
  /** Without an ack a command comes again after this. */
  ackWithinMs: number;
  /** A broker that holds second links ready asks for one so soon after the first; another is taken for one that holds none. */
  standbyWithinMs: number;
  /** A broker that polls where no WebSocket opens has begun so soon. */
  pollWithinMs: number;
  /** What machine and network may add to any of them. */
  slackMs: number;
};

export const PACE: Pace = {
  withinMs: 10_000,
  linkWithinMs: 190_000,
  quietMs: 1_000,
  helloWithinMs: TIMES.helloWithinMs,
  heartbeatMs: 500,
  livenessMs: 2_000,
  slotMs: 500,
  retryAfterMs: 2_000,
  reconnectBaseMs: TIMES.reconnectBaseMs,
  pingMs: TIMES.pingMs,
  degradedWithinMs: 60_000,
  unreachableWithinMs: 60_000,
  ackWithinMs: 10_000,
  standbyWithinMs: 5_000,
  pollWithinMs: 20_000,
  slackMs: 1_500,
};
