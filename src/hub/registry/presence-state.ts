/**
 * What the hub knows of a broker's liveness: the first two are the broker's own word, the third is said after it has
 * been silent for long, the last after its goodbye. Written by `heartbeat`, and shown here beside the broker.
 */
export const PRESENCE_STATES = ['online', 'degraded', 'unreachable', 'offline'] as const;

export type PresenceState = (typeof PRESENCE_STATES)[number];
