/** The protocol versions this build speaks; a hub and a broker meet at the highest that both serve. */
export const PROTOCOL_RANGE = { min: 1, max: 1 } as const;

/** The WebSocket subprotocol that names major version 1 of the wire. */
export const SUBPROTOCOL = 'fairlead.v1';

/**
 * Offered in its place for a second link that owns nothing until it is promoted. A hub that knows of none refuses the upgrade:
 * it would take such a link for one that moves the broker.
 */
export const STANDBY_SUBPROTOCOL = 'fairlead.v1.standby';

/** What a broker announces that takes `attachment` frames: they came after the first ones. */
export const ATTACHMENTS_CAPABILITY = 'attachments';

/** What a broker announces that tells all of its agents when it is asked to: `agents_wanted` came later as well. */
export const AGENTS_CAPABILITY = 'agents';

/** The path of the control channel on every replica. */
export const CONTROL_PATH = '/api/v1/control';

/** Where a join token is exchanged for a seat. */
export const JOIN_PATH = '/api/v1/brokers/join';

/** Where the key that a broker has is shown with a proof of the one that is to follow it. */
export const ROTATE_KEY_PATH = '/api/v1/brokers/rotate-key';

/** Where a broker is given what its agents show of themselves. */
export const AGENT_TOKENS_PATH = '/api/v1/brokers/agent-tokens';

/** Where the same frames travel in batches, for networks that break WebSockets. */
export const POLL_PATH = `${CONTROL_PATH}/poll`;

/**
 * The highest version that both ranges contain.
 *
 * @returns undefined where the ranges do not meet
 */
export function negotiate(theirs: { min: number; max: number }): number | undefined {
  const highest = Math.min(PROTOCOL_RANGE.max, theirs.max);
  return highest >= Math.max(PROTOCOL_RANGE.min, theirs.min) ? highest : undefined;
}
